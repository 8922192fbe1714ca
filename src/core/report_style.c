/*-------------------------------------------------------------------------
 * report_style.c
 *		How report.html looks, on screen and on paper.
 *-------------------------------------------------------------------------
 */
#include "core/report.h"

static const char style[] =
	"html{background:#eceae5}\n"
	"body{font:16px/1.5 Georgia,'Liberation Serif','Times New Roman',serif;color:#1d1d1b;"
	"max-width:54em;margin:2em auto;padding:3em 4em;background:#fff;"
	"box-shadow:0 1px 6px rgba(0,0,0,.18)}\n"
	"h1,h2,h3,th,.label,.word,code,footer{font-family:'Helvetica Neue',Arial,"
	"'Liberation Sans',sans-serif}\n"
	"h1{font-size:1.75em;line-height:1.2;margin:.1em 0 .6em;overflow-wrap:anywhere}\n"
	"h2{font-size:1.25em;margin:2.4em 0 .7em;padding-bottom:.25em;border-bottom:2px solid "
	"#1d1d1b}\n"
	"h3{font-size:1.05em;margin:2.2em 0 .5em;padding:.35em .6em;background:#e8edf2;"
	"border-left:4px solid #2f4a66}\n"
	"h4{font:bold 1em/1.4 'Helvetica Neue',Arial,'Liberation Sans',sans-serif;margin:1.6em 0 "
	".2em}\n"
	".label{letter-spacing:.12em;text-transform:uppercase;font-size:.75em;color:#2f4a66;margin:0}\n"
	"p{margin:.5em 0}\n"
	"table{border-collapse:collapse;width:100%;margin:.7em 0;font-size:.9em;table-layout:fixed}\n"
	"th,td{text-align:left;vertical-align:top;padding:.32em .6em;border-bottom:1px solid #d8d5cd;"
	"overflow-wrap:anywhere}\n"
	"th{font-weight:600;font-size:.88em;color:#444}\n"
	"thead th{border-bottom:1.5px solid #777}\n"
	".facts th:first-child{width:11em}\n"
	".facts .word{width:13em;color:#666;font-size:.85em}\n"
	".change th:first-child{width:30%}\n"
	".old{background:#fbf3f1}\n"
	".new{background:#f1f7f1}\n"
	"td,.text{white-space:pre-wrap}\n"
	"code{font:.85em/1.45 'DejaVu Sans Mono','Liberation Mono',Consolas,monospace;"
	"overflow-wrap:anywhere}\n"
	"pre{font:.8em/1.45 'DejaVu Sans Mono','Liberation Mono',Consolas,monospace;"
	"background:#f5f4f0;padding:.8em 1em;white-space:pre-wrap;overflow-wrap:anywhere}\n"
	"i{font:.78em 'DejaVu Sans Mono','Liberation Mono',Consolas,monospace;color:#8a1f11;"
	"border:1px solid #d9b3ac;border-radius:2px;padding:0 .25em;margin:0 .1em;white-space:nowrap}\n"
	".none{color:#888}\n"
	".small{font-size:.85em;color:#555}\n"
	"li{margin:.45em 0}\n"
	".no{background:#faf7ee;border:1px solid #ddd3b4;padding:.4em 1.2em .6em}\n"
	"footer{margin-top:3em;padding-top:.6em;border-top:1px solid #bbb;font-size:.8em;color:#555}\n"
	"@media print{html,body{background:#fff}body{max-width:none;margin:0;padding:0;box-shadow:none;"
	"font-size:10.5pt}h2,h3,h4{break-after:avoid}tr,li{break-inside:avoid}"
	"h3,.old,.new,.no,pre{-webkit-print-color-adjust:exact;print-color-adjust:exact}}\n"
	"@page{margin:18mm 16mm}\n";

void
at_report_style(AtOutput *output)
{
	at_out_string(output, style);
}
