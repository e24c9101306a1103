# Figures and tables of the papers, a target for each and for each paper, and the ledger of claims.


rule result:
    input:
        result_inputs,
    output:
        csv="results/{scale}/{paper}/{result}.csv",
        svg=report(
            "results/{scale}/{paper}/{result}.svg",
            caption="../report/result.rst",
            category="{paper}",
            labels={"result": "{result}", "scale": "{scale}"},
        ),
        png="results/{scale}/{paper}/{result}.png",
        md="results/{scale}/{paper}/{result}.md",
    log:
        "logs/{scale}/{paper}/{result}.log",
    conda:
        "../envs/dagnas.yml"
    params:
        data=str(SCALE.data),
        config=scale_file,
        settings=result_settings,
        code=lambda wildcards: digest(result_modules(wildcards)),
        caption=caption,
    shell:
        "dagnas result {wildcards.paper}/{wildcards.result} --config {params.config}"
        " --data {params.data} --out results/{wildcards.scale} > {log} 2>&1"


rule claims:
    input:
        checked_files(),
        claims_files(),
    output:
        csv=report(
            "results/{scale}/claims.csv",
            caption="../report/claims.rst",
            category="claims",
            labels={"result": "ledger", "scale": "{scale}"},
        ),
        md="results/{scale}/claims.md",
    log:
        "logs/{scale}/claims.log",
    conda:
        "../envs/dagnas.yml"
    params:
        config=scale_file,
        code=lambda wildcards: digest(["dagnas.cli.claims"]),
    shell:
        "dagnas claims --config {params.config} --out results/{wildcards.scale} > {log} 2>&1"


rule metrics:
    input:
        "results/{scale}/claims.csv",
    output:
        "results/{scale}/metrics.json",
    log:
        "logs/{scale}/metrics.log",
    conda:
        "../envs/dagnas.yml"
    params:
        code=lambda wildcards: digest(["dagnas.cli.metrics"]),
    shell:
        "dagnas metrics {input} --out {output} > {log} 2>&1"


for name in RESULTS:

    rule:
        name:
            "_".join(Path(name).parts)
        input:
            result_files(name),


# Studies, rankings and graph VAEs belong to the paper that their names begin with.
for paper in SCALE.papers:

    rule:
        name:
            paper
        input:
            result_files(paper),
            trace_files(paper),
            ranking_files(paper),
            autoencoder_files(paper),
