"""The style of the page: light and dark, narrow screens, paper."""

from __future__ import annotations

import base64
import hashlib

from monitor.markup.html import Markup

# Colours that stay apart for people who do not distinguish red and green; failed attempts are striped as well.
CSS = """
:root{color-scheme:light dark;--ground:#fff;--text:#1b1f24;--dim:#57606a;--line:#d8dee4;--card:#f6f8fa;
--own:#2f6fb3;--stolen:#dd8a1a;--failed:#a3131b;--stripe:#f3b7b9;--running:#4f9a94;--loading:#b9c3ce;
--without:#8b96a3;--bound:#5a8f3c;--load:#2f6fb3;--memory:#2c8a57;--power:#8250b8;--temperature:#c2542d;
--arrow:#8a4b00;--link:#0b57a4}
@media (prefers-color-scheme:dark){:root{--ground:#0f1419;--text:#e6e8ea;--dim:#9aa4af;--line:#2d333b;
--card:#171d24;--own:#5b9bd8;--stolen:#e5a04a;--failed:#c93c44;--stripe:#5c1216;--running:#58b0a9;
--loading:#46515c;--without:#76818d;--bound:#7fb35e;--load:#5b9bd8;--memory:#4fb082;--power:#b58ae0;
--temperature:#e8855c;--arrow:#ffd9a3;--link:#78b4f0}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1080px;padding:24px 24px 64px;background:var(--ground);color:var(--text);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;font-variant-numeric:tabular-nums;
overflow-wrap:anywhere}
h1{font-size:24px;line-height:1.25;margin:0 0 4px}
h2{font-size:18px;margin:40px 0 8px;padding-bottom:4px;border-bottom:1px solid var(--line)}
h3{font-size:15px;margin:20px 0 4px}
p{margin:4px 0 10px;max-width:80ch}
a{color:var(--link)}
.lead{font-size:16px;max-width:100ch}
.note,.key,figcaption,nav{color:var(--dim);font-size:13px}
nav ul{display:flex;flex-wrap:wrap;gap:4px 16px;list-style:none;margin:12px 0;padding:0}
.warning{margin:8px 0;padding:8px 12px;border-left:4px solid var(--failed);background:var(--card);max-width:none}
.cards{display:grid;grid-template-columns:repeat(4,1fr);gap:10px;margin:16px 0;padding:0}
.cards div{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px 12px;
display:flex;flex-direction:column;min-width:0}
.cards dt{order:1;color:var(--dim);font-size:13px}
.cards dd{margin:0;font-size:21px;font-weight:600;line-height:1.3}
.cards dd.more{order:2;font-size:12px;font-weight:400;color:var(--dim)}
.key{display:flex;flex-wrap:wrap;gap:2px 16px;max-width:none}
.key i{display:inline-block;width:12px;height:12px;border-radius:2px;margin-right:6px;vertical-align:-1px}
.key i.own,.key i.load{background:var(--own)}.key i.stolen{background:var(--stolen)}
.key i.failed{background:repeating-linear-gradient(135deg,var(--failed) 0 3px,var(--stripe) 3px 5px)}
.key i.running{background:var(--running)}.key i.loading{background:var(--loading)}
.key i.memory,.key i.power,.key i.temperature,.key i.arrow{height:3px;vertical-align:4px}
.key i.memory{background:var(--memory)}.key i.power{background:var(--power)}
.key i.temperature{background:repeating-linear-gradient(90deg,var(--temperature) 0 3px,transparent 3px 5px)}
.key i.arrow{background:var(--arrow);height:2px}
.scroll{overflow-x:auto}
.scroll:focus-visible{outline:2px solid var(--link);outline-offset:2px}
figure{margin:8px 0 16px}
figcaption{margin-top:4px}
svg{display:block;width:100%;min-width:720px;height:auto;font:12px system-ui,-apple-system,"Segoe UI",Roboto,
"Noto Sans",sans-serif}
svg.defs{position:absolute;width:0;height:0;min-width:0}
text{fill:var(--text)}text.dim{fill:var(--dim)}text.small{font-size:8px}text.strong{font-weight:600}
.own{fill:var(--own)}.stolen{fill:var(--stolen)}.running{fill:var(--running)}.loading{fill:var(--loading)}
.failed{fill:url(#failed)}.failed-ground{fill:var(--failed)}.failed-stripe{stroke:var(--stripe);stroke-width:1.4}
.without{fill:var(--without)}.bound{fill:var(--bound)}
.whisker{stroke:var(--text);stroke-width:1.4;fill:none}
.grid{stroke:var(--line);stroke-width:1;fill:none}
.steal{stroke:var(--arrow);stroke-width:1.5;fill:none;opacity:.8}.arrow-head{fill:var(--arrow)}
.line{fill:none;stroke:var(--load);stroke-width:1.3;stroke-linejoin:round;stroke-linecap:round}
.line.memory{stroke:var(--memory)}.line.power{stroke:var(--power)}
.line.temperature{stroke:var(--temperature);stroke-dasharray:3 2}
.area{fill:var(--load);opacity:.16}
table{border-collapse:collapse;width:100%;font-size:13px;overflow-wrap:normal}
caption{text-align:left;color:var(--dim);padding:4px 0}
th,td{padding:4px 12px 4px 0;border-bottom:1px solid var(--line);text-align:left;vertical-align:top;
white-space:nowrap;font-weight:400}
thead th{color:var(--dim);font-weight:600}
td.number,th.number{text-align:right}
td.long{white-space:normal;min-width:18em;overflow-wrap:anywhere}
pre{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:8px 12px;font-size:12px;
overflow-x:auto;white-space:pre-wrap}
footer{margin-top:40px;color:var(--dim);font-size:13px}
@media (max-width:760px){body{padding:16px 14px 48px}.cards{grid-template-columns:repeat(2,1fr)}}
@media print{:root{color-scheme:light;--ground:#fff;--text:#000;--dim:#444;--line:#ccc;--card:#fff;--own:#2f6fb3;
--stolen:#dd8a1a;--failed:#a3131b;--stripe:#f3b7b9;--running:#4f9a94;--loading:#b9c3ce;--without:#8b96a3;
--bound:#5a8f3c;--load:#2f6fb3;--memory:#2c8a57;--power:#8250b8;--temperature:#c2542d;--arrow:#8a4b00}
@page{margin:14mm}
body{max-width:none;padding:0;font-size:11px;print-color-adjust:exact;-webkit-print-color-adjust:exact}
nav{display:none}.scroll{overflow:visible}svg{min-width:0}
.lead,.note,.key,figcaption,caption,pre{font-size:10px}.cards{grid-template-columns:repeat(4,1fr)}
.cards dd{font-size:16px}.cards dt,.cards dd.more{font-size:10px}.lead{font-size:13px}
h1{font-size:18px}h2{font-size:14px;margin-top:20px}
h2,h3,caption,.key,section>.note{break-after:avoid}td.number{white-space:nowrap!important}
tr,.cards div,.warning{break-inside:avoid}
figure{break-inside:avoid}table{font-size:10px}th,td{padding-right:8px;white-space:normal}
a{color:inherit;text-decoration:none}}
"""


def style() -> Markup:
    """The content of the style element."""
    return Markup(CSS)


def security_policy() -> str:
    """What the page permits a browser: its own style, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
