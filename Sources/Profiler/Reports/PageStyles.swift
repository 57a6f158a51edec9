/// The page's style sheet. Colours are variables of `Palette`.
enum PageStyles {
    static var text: String {
        Palette.variables(":root") + RooflinePicture.rules + layout + charts + timeline + table + paper
    }

    private static let layout = """
        *{box-sizing:border-box}
        html{color-scheme:light dark;background:var(--paper);color:var(--ink);-webkit-text-size-adjust:100%}
        body{margin:0 auto;max-width:1260px;padding:1.5rem 1rem 3rem;
        font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
        h1{font-size:1.6rem;line-height:1.25;margin:0 0 .25rem}
        h2{font-size:1.15rem;margin:2.25rem 0 .5rem;padding-top:.75rem;border-top:1px solid var(--grid)}
        h3{font-size:1rem;margin:1rem 0 .4rem}
        p{margin:.4rem 0;max-width:75ch}
        .muted,small{color:var(--muted)}
        a{color:var(--accent)}
        :focus-visible{outline:2px solid var(--accent);outline-offset:2px}
        dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.75rem 0;font-size:.9rem}
        dl.facts dt{color:var(--muted)}
        dl.facts dd{margin:0;overflow-wrap:anywhere}
        .tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.6rem;margin:.75rem 0;
        padding:0;list-style:none}
        .tiles li{background:var(--panel);border-radius:6px;padding:.55rem .8rem}
        .tiles b{display:block;font-size:1.15rem;font-weight:600;font-variant-numeric:tabular-nums}
        .tiles span{color:var(--muted);font-size:.85rem}
        .next{background:var(--panel);border-left:4px solid var(--accent);padding:.7rem 1rem;margin:1rem 0;
        max-width:none}
        figure{margin:.5rem 0}
        figure svg{display:block;width:100%;height:auto}
        .narrow{display:none}
        .pair{display:grid;grid-template-columns:1fr 1fr;gap:0 2.5rem}
        .pair.one{grid-template-columns:1fr}
        details summary{cursor:pointer}
        @media (max-width:700px){
        body{padding:1rem .75rem 2rem}
        .wide{display:none}
        .narrow{display:block}
        .pair{grid-template-columns:1fr}
        dl.facts{grid-template-columns:1fr;gap:0}
        dl.facts dd{margin-bottom:.35rem}
        }

        """

    private static let charts = """
        .bars{list-style:none;margin:.25rem 0;padding:0;font-size:.88rem}
        .bars li{display:grid;grid-template-columns:9.5rem 1fr 8.5rem;gap:.6rem;align-items:center;padding:.1rem 0}
        .bars .name{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
        .bars .bar{height:.95rem;background:var(--accent);border-radius:2px;min-width:1px}
        .bars .value{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
        .columns{display:flex;align-items:flex-end;gap:1px;height:190px;border-bottom:1px solid var(--line);
        background:linear-gradient(var(--grid),var(--grid)) 0 0/100% 1px no-repeat,
        linear-gradient(var(--grid),var(--grid)) 0 50%/100% 1px no-repeat}
        .columns div{flex:1 1 0;max-width:4rem;min-width:0;display:flex;flex-direction:column-reverse}
        .columns i{display:block;width:100%}
        .ticks{display:flex;gap:1px;font-size:.75rem;color:var(--muted)}
        .ticks span{flex:1 1 0;max-width:4rem;min-width:0;text-align:center;white-space:nowrap;overflow:visible}
        .scale{display:flex;justify-content:space-between;font-size:.8rem;color:var(--muted)}
        .legend{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;list-style:none;margin:.5rem 0;padding:0;font-size:.88rem}
        .legend i{display:inline-block;width:.8rem;height:.8rem;border-radius:2px;margin-right:.4rem;
        vertical-align:-.08rem}

        """

    private static let timeline = """
        .timeline{display:grid;grid-template-columns:6.5rem 1fr;gap:.2rem .6rem;align-items:center;font-size:.82rem;
        position:relative}
        .timeline .name{color:var(--muted);text-align:right;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
        .timeline .lane{position:relative;height:1.25rem;background:var(--panel);overflow:hidden}
        .timeline .lane span{position:absolute;top:0;bottom:0;overflow:hidden;white-space:nowrap;font-size:.72rem;
        line-height:1.25rem;border-left:1px solid var(--paper);background:var(--line);text-indent:.2rem}
        .timeline .lane span:nth-child(even){background:var(--grid)}
        .timeline svg{position:absolute;inset:0;width:100%;height:100%}
        .timeline path{fill:none;stroke-width:10}
        .timeline .axis{grid-column:2;position:relative;height:1.2rem;color:var(--muted);font-size:.75rem}
        .timeline .axis span{position:absolute;top:0;transform:translateX(-50%);white-space:nowrap}
        .timeline .axis span:first-child{transform:none}
        .timeline .axis span:last-child{transform:translateX(-100%)}
        .timeline .cursor{position:absolute;top:0;bottom:1.2rem;width:1px;background:var(--ink);pointer-events:none}
        .said{display:block;min-height:1.5em;font-size:.85rem;font-variant-numeric:tabular-nums}
        @media (max-width:700px){.timeline{grid-template-columns:4.6rem 1fr;gap:.2rem .35rem}
        .bars li{grid-template-columns:1fr auto;gap:0 .6rem}.bars .track{grid-column:1/-1;grid-row:2}
        .said{min-height:3em}
        .timeline .axis span:nth-child(even),.timeline .layers span{font-size:0}}

        """

    private static let table = """
        .scroll{overflow-x:auto;margin:.5rem 0}
        table{border-collapse:collapse;font-size:.72rem;font-variant-numeric:tabular-nums;width:100%}
        th,td{padding:.25rem .2rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--grid)}
        th.text,td.text{text-align:left}
        td.text{white-space:normal}
        td.shape{min-width:8rem}
        thead th{border-bottom:1px solid var(--line);vertical-align:bottom;padding:0;white-space:normal}
        tbody th{font-weight:600;position:sticky;left:0;background:var(--paper);text-align:left}
        th button{font:inherit;font-size:.7rem;font-weight:600;color:inherit;background:none;border:0;
        padding:.3rem .2rem;cursor:pointer;width:100%;text-align:inherit;overflow-wrap:normal}
        th button:hover{background:var(--panel)}
        th button::after{content:"";margin-left:.1rem;color:var(--accent)}
        th[aria-sort=ascending] button::after{content:"\\25B4"}
        th[aria-sort=descending] button::after{content:"\\25BE"}
        td.part{background:linear-gradient(var(--grid),var(--grid)) 0 50%/var(--part,0) 70% no-repeat}
        tbody tr:hover td{background-color:var(--panel)}
        label input{font:inherit;color:inherit;background:var(--paper);border:1px solid var(--line);border-radius:4px;
        padding:.2rem .5rem;margin-left:.4rem;width:12rem;max-width:100%}

        """

    private static let paper = """
        @media print{
        @page{size:A4 landscape;margin:12mm}
        body{max-width:none;padding:0;font-size:10pt}
        *{-webkit-print-color-adjust:exact;print-color-adjust:exact}
        h2,h3,.legend{break-after:avoid}
        thead{display:table-header-group;break-inside:avoid}
        figure,.pair,section div:has(.timeline),.timeline,.bars li,tr,.next,.tiles{break-inside:avoid}
        .wide{display:block}
        .narrow,.filter,.said,.cursor,.hint{display:none}
        figure svg{max-height:165mm}
        .scroll{overflow:visible}
        table{font-size:6.3pt}
        th,td,th button{padding:1pt 2pt}
        td.shape{min-width:0}
        th button::after{content:none}
        }

        """
}
