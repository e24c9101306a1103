# How well predictors rank.


rule ranking:
    input:
        lambda wildcards: table_files([SCALE.ranking_benchmark(wildcards.ranking)]),
    output:
        "results/{scale}/rankings/{ranking}.parquet",
    log:
        "logs/{scale}/rankings/{ranking}.log",
    conda:
        "../envs/dagnas.yml"
    resources:
        gpu=GPUS,
    params:
        data=str(SCALE.data),
        config=scale_file,
        settings=lambda wildcards: SCALE.part(rankings=[wildcards.ranking]),
        code=lambda wildcards: digest(SCALE.ranking_modules(wildcards.ranking)),
    shell:
        "dagnas rank --config {params.config} --ranking {wildcards.ranking} --data {params.data}"
        " --out {output} > {log} 2>&1"
