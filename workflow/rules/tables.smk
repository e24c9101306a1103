# Benchmark tables: from their sources, or built of images by training.


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


if SCALE.tables:

    rule table_part:
        input:
            image_file,
        output:
            f"{SCALE.data}/parts/{{table}}/{{cells}}.parquet",
        log:
            "logs/tables/{table}/{cells}.log",
        wildcard_constraints:
            cells=r"\d{4}-\d{4}",
        conda:
            "../envs/dagnas.yml"
        resources:
            gpu=GPUS,
        params:
            options=build_options,
            device=SCALE.device,
            cells=lambda wildcards: wildcards.cells.replace("-", ":"),
            code=digest(["dagnas.cli.build_table"]),
        shell:
            "dagnas build-table {params.options} --device {params.device}"
            " --cells {params.cells} --out {output} > {log} 2>&1"

    rule built_table:
        input:
            part_files,
        output:
            f"{SCALE.data}/{{table}}.parquet",
        log:
            "logs/tables/{table}.log",
        wildcard_constraints:
            table="|".join(SCALE.tables),
        conda:
            "../envs/dagnas.yml"
        params:
            options=build_options,
            code=digest(["dagnas.cli.build_table"]),
        shell:
            "dagnas build-table {params.options} --merge {input} --out {output} > {log} 2>&1"
