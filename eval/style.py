"""The style of the report, for phones too and dark where the reader's system is, and that of plots in files."""

STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #fff; --faint: #8886; --good: #167a3a; --bad: #b3261e;
  --c0: #1f6fd0; --c1: #d1640b; --c2: #2a8a4a; --c3: #8a3fb0; --c4: #b3261e; --c5: #5f6b76; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --paper: #16181b; --good: #6fd08f; --bad: #ff8a80;
  --c0: #7db4ff; --c1: #ffb066; --c2: #7ddc9a; --c3: #d3a0f0; --c4: #ff8a80; --c5: #b0bac4; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 75rem; margin: auto; padding: 1rem; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
th, td { padding: .15rem .6rem; border-bottom: 1px solid var(--faint); text-align: left; white-space: nowrap; }
.n { text-align: right; }
.plots, .sides { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 18rem), 1fr)); }
.plots { grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
figure { margin: 0; }
svg { width: 100%; max-width: 36rem; height: auto; fill: currentColor; font: 11px system-ui, sans-serif; }
svg path { fill: none; stroke: currentColor; stroke-width: 1.5; }
svg .grid { stroke: var(--faint); stroke-width: 1; }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); }
.c3 { color: var(--c3); } .c4 { color: var(--c4); } .c5 { color: var(--c5); }
details { border-bottom: 1px solid var(--faint); padding: .3rem 0; }
summary { cursor: pointer; }
h3 { font-size: 1rem; margin: .6rem 0 .2rem; }
p { margin: .3rem 0; }
blockquote { margin: .4rem 0; padding-left: .6rem; border-left: 3px solid var(--faint); white-space: pre-line;
  max-height: 20rem; overflow-y: auto; }
.right { color: var(--good); }
.wrong { color: var(--bad); }
.unsupported { text-decoration: underline wavy var(--bad); }
"""

ALONE = """
svg { color: #7a7a7a; fill: currentColor; font: 11px system-ui, sans-serif; }
path { fill: none; stroke: currentColor; stroke-width: 1.5; }
.grid { stroke: #8886; stroke-width: 1; }
.c0 { color: #2f7de0; } .c1 { color: #d1640b; } .c2 { color: #2a9257; }
.c3 { color: #a05ad0; } .c4 { color: #e0483f; } .c5 { color: #7d8894; }
"""
"""Of a plot in a file of its own, which does not know the page around it: every colour reads on white and on black."""
