# Benchmark tables from their published sources.


rule table:
    output:
        f"{SCALE.data}/{{table}}.parquet",
    log:
        "logs/tables/{table}.log",
    wildcard_constraints:
        table="|".join(SOURCES),
    conda:
        "../envs/dagnas.yml"
    params:
        data=lambda wildcards, output: os.path.dirname(output[0]),
        source=f"--source={SCALE.source}" if SCALE.source else "",
        # Not how a source is found: digests make sure that it is the published one.
        code=lambda wildcards: digest(
            ["dagnas.tables.importers", "dagnas.tables.table"]
        ),
    shell:
        "dagnas fetch {wildcards.table} --data {params.data} {params.source} > {log} 2>&1"
