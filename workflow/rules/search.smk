# Traces of searches, in chunks of trials.


rule search:
    input:
        lambda wildcards: table_files(job_of(wildcards).benchmarks),
    output:
        trace="results/{scale}/traces/{study}/{method}/{trials}.parquet",
        wall="results/{scale}/traces/{study}/{method}/{trials}.wall.csv",
    log:
        "logs/{scale}/traces/{study}/{method}/{trials}.log",
    conda:
        "../envs/dagnas.yml"
    resources:
        gpu=GPUS,
    params:
        data=str(SCALE.data),
        options=lambda wildcards: shlex.join(job_of(wildcards).arguments()),
        code=lambda wildcards: digest(job_of(wildcards).modules()),
    shell:
        "dagnas search {params.options} --data {params.data} --out {output.trace} > {log} 2>&1"
