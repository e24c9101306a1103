# Figures and tables of the papers, a target for each and for each paper, and the ledger of claims.


rule table_of_result:
    input:
        result_inputs,
    output:
        csv="results/{scale}/{paper}/{result}.csv",
    log:
        "logs/{scale}/{paper}/{result}.csv.log",
    conda:
        "../envs/dagnas.yml"
    params:
        data=str(SCALE.data),
        options=result_options,
        code=table_code,
    shell:
        "dagnas tabulate {wildcards.paper}/{wildcards.result} {params.options}"
        " --data {params.data} --out {output.csv} > {log} 2>&1"


rule picture_of_result:
    input:
        csv="results/{scale}/{paper}/{result}.csv",
    output:
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
        plugins=shlex.join(f"--plugin={name}" for name in SCALE.plugins),
        note=lambda wildcards: shlex.quote(note(SCALE, result_of(wildcards))),
        code=picture_code,
        caption=caption,
    shell:
        "dagnas draw {input.csv} --note {params.note} {params.plugins} > {log} 2>&1"


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
        options=shlex.join(["--papers", *SCALE.papers, "--have", *RESULTS]),
        code=lambda wildcards: digest(LEDGER_CODE),
    shell:
        "dagnas claims --scale {wildcards.scale} {params.options}"
        " --results results/{wildcards.scale} --out results/{wildcards.scale} > {log} 2>&1"


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
        code=lambda wildcards: digest(["dagnas.papers.claims.page:count_statuses"]),
    shell:
        "dagnas metrics {input} --out {output} > {log} 2>&1"


for name in RESULTS:

    rule:
        name:
            "_".join(Path(name).parts)
        input:
            result_files(name),


# Artifacts belong to the paper that their names begin with.
for paper in SCALE.papers:

    rule:
        name:
            paper
        input:
            result_files(f"{paper}/"),
            artifact_files(f"{paper}_"),
