"""Papers: a package each, with a module for every figure and table, and a ledger of claims."""

#: Results of each paper, in the order of their names; `dagnas.papers.PAPER.RESULT` declares one.
PAPERS = {
    "bonas": (
        *("choices", "fig3", "fig4", "fig5", "samplers", "table1", "table2", "transfer"),
        *("fig8", "hours", "short_trainings", "table3", "table4", "table5"),
    ),
    "digits201": ("quality", "relation"),
    "goal": (
        *("ablation", "fig2", "fig3", "fig4", "fig5", "fig6", "fig7", "noise", "search_table"),
        *("darts214", "fig8", "sharing", "table1", "table2"),
    ),
    "graph_search_space": ("fig2", "fig3", "fig4", "fig5", "fig6", "fig6_digits"),
    "hardware": ("constrained", "front", "hypervolume"),
    "leaderboard": ("best", "evaluations", "published", "rank", "speed"),
    "nago": ("fig1", "fig2", "pareto", "search", "similar", "space", "table1"),
    "ngae": ("fig3", "fig4", "fig5", "table1"),
}
