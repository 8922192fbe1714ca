/*-------------------------------------------------------------------------
 * report_statements.c
 *		What is proved, by what, and what is not, in report.html.
 *
 * What is said depends on who has signed the checkpoint, and on nothing that
 * is not in the bundle.
 *-------------------------------------------------------------------------
 */
#include "core/escape.h"
#include "core/report.h"

static bool has_stamps(const AtEvidence *evidence, const AtEvidenceHead *head);
static void write_proved(AtOutput *output, const AtEvidenceHead *head, bool witnesses, bool stamps);
static void write_not_proved(AtOutput *output, bool witnesses, bool stamps);
static void write_check(AtOutput *output);

void
at_report_statements(AtOutput *output, const AtEvidence *evidence, const AtEvidenceHead *head)
{
	bool witnesses = head->note.signature_count > 1; /* there are lines besides the log's */
	bool stamps = has_stamps(evidence, head);

	write_proved(output, head, witnesses, stamps);
	write_not_proved(output, witnesses, stamps);
	write_check(output);
}

static bool
has_stamps(const AtEvidence *evidence, const AtEvidenceHead *head)
{
	int64_t when;

	for (size_t i = 0; i < evidence->stamp_count; i++)
		if (at_evidence_stamped(head, evidence, evidence->stamp[i].response, &when) !=
			AT_STAMPED_NOTHING)
			return true;

	return false;
}

static void
write_proved(AtOutput *output, const AtEvidenceHead *head, bool witnesses, bool stamps)
{
	at_out_string(
		output,
		"<h2>What is proved, and by what</h2>\n<ul>\n"
		"<li><strong>These events stand in the audit trail, word for word.</strong> Each has a "
		"fingerprint (SHA-256) that changes if a single letter changes. The fingerprints are "
		"joined, pair by pair, up to one fingerprint for the whole log. The bundle holds the way "
		"of each event up to there.</li>\n"
		"<li><strong>Who did it, when, from where and why</strong> belongs to each transaction and "
		"is proved in the same way: that this is what was recorded.</li>\n"
		"<li><strong>Where it says that all events of a transaction are here,</strong> none was "
		"left out: the transaction's record has their number, and one fingerprint over all of "
		"them.</li>\n"
		"<li><strong>The log was signed,</strong> when it had ");
	at_report_count(output, head->checkpoint.size, "entry", "entries");
	at_out_string(output, ", by whoever has the private key that belongs to the public key above. "
						  "Nobody can make that signature without the private key.</li>\n");
	if (witnesses)
		at_out_string(
			output,
			"<li><strong>Witnesses have seen this log,</strong> if their signatures above hold "
			"under the "
			"keys that they give out. A witness signs only what continues all that it has seen "
			"before. So from the time of its signature on nobody, not even the owner of "
			"the log's key, could change unnoticed what is in it.</li>\n");
	if (stamps)
		at_out_string(
			output, "<li><strong>The log was there at the time of the time stamp,</strong> if the "
					"stamp holds "
					"under the certificate of its authority. So these events are not younger than "
					"that.</li>\n");
	at_out_string(output, "</ul>\n");
}

static void
write_not_proved(AtOutput *output, bool witnesses, bool stamps)
{
	at_out_string(
		output,
		"<h2>What is not proved</h2>\n<div class=\"no\">\n<ul>\n"
		"<li><strong>Whose key it is.</strong> This bundle cannot vouch for its own keys. Compare "
		"the key with one that you have from another source. The same holds for the keys of "
		"witnesses and the certificates of time stamps.</li>\n"
		"<li><strong>That what was recorded is true.</strong> It is proved what the database "
		"recorded, not that it was right. Where it says &ldquo;the application says so&rdquo;, "
		"the server took the application's word.</li>\n"
		"<li><strong>That there is nothing else.</strong> The bundle is a selection. Other events "
		"about the same things may be in the trail; to find out, the trail must be searched.</li>\n"
		"<li><strong>That everything was recorded.</strong> Whoever controls the machine can "
		"switch "
		"recording off. Whether that was so is another question to the trail "
		"(<code>audit.coverage()</code>).</li>\n"
		"<li><strong>The exact time.</strong> Times are those of the server's clock, which its "
		"administrators can set.</li>\n");
	if (!witnesses && !stamps)
		at_out_string(output,
					  "<li><strong>When this log was made.</strong> No witness has signed its head "
					  "and no time stamp is here. Whoever has the private key could have "
					  "made all of it at any time, today as well.</li>\n");
	else
		at_out_string(output,
					  "<li><strong>What was done before the head was signed.</strong> Until the "
					  "witnesses and time stamps above, whoever controlled the "
					  "machine and the private key could have written another log.</li>\n");
	at_out_string(
		output,
		"<li><strong>Values that the trail does not hold.</strong> A value shown as "
		"<code>***</code> was left out on purpose; one that begins with the name of a hash or a "
		"commitment can be compared with a value that somebody names, and not read.</li>\n"
		"</ul>\n</div>\n");
}

static void
write_check(AtOutput *output)
{
	at_out_string(
		output,
		"<h2>How to check it</h2>\n<ol>\n"
		"<li>Have the public key of the log from somebody you trust, by another way than this "
		"bundle.</li>\n"
		"<li>Run <code>audit_verify</code> on the bundle, with that key. It needs no database and "
		"no network. It checks each proof, makes this report anew from what is proved, "
		"and compares it with this one, letter by letter.</li>\n"
		"<li>Or follow <code>README.txt</code>, which does it by hand for one event with "
		"<code>sha256sum</code> and <code>openssl</code>, programs that are everywhere.</li>\n"
		"<li>An expert can write a verifier of their own: all formats are public.</li>\n"
		"</ol>\n");
}
