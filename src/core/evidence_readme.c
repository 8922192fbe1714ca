/*-------------------------------------------------------------------------
 * evidence_readme.c
 *		README.txt: how to check this very bundle by hand.
 *
 * Lines that begin with four spaces are commands for a POSIX shell; in their
 * order they are a script, which ends with a failure where a check fails. What they
 * contain comes from proofs and keys: digits and base64, and names of keys in quotes
 * of the shell.
 *-------------------------------------------------------------------------
 */
#include "core/evidence_head.h"

/* What stands before the root in an ATL1 body, but for the text of its kind; see doc/format.md. */
#define ENTRY_BEFORE_ROOT (4 + AT_LOG_ID_LEN + 8 + 8 + 4 + 4 + AT_HASH_LEN)

static void write_beginning(AtOutput *output, const AtEvidenceHead *head,
							const AtEvidence *evidence);
static void write_manifest(AtOutput *output);
static void write_key(AtOutput *output, const AtEvidenceHead *head);
static void write_signature(AtOutput *output, const AtEvidenceHead *head);
static void write_cosignatures(AtOutput *output, const AtEvidenceHead *head);
static void write_stamps(AtOutput *output, const AtEvidenceHead *head, const AtEvidence *evidence);
static void write_stamp(AtOutput *output, const AtEvidenceHead *head, const AtEvidence *evidence,
						const AtEvidenceStamp *stamp);
static void write_event(AtOutput *output, const AtEvidence *evidence);
static void write_batch(AtOutput *output, const AtEvidence *evidence);
static void write_log(AtOutput *output, const AtEvidenceHead *head, const AtEvidence *evidence);
static void write_session(AtOutput *output, const AtEvidence *evidence);
static void write_end(AtOutput *output);
static void write_path(AtOutput *output, const AtProof *proof, uint64_t number, uint64_t size);
static void write_event_path(AtOutput *output, const AtEvidence *evidence);
static void write_quoted(AtOutput *output, AtText text);

AtError
at_evidence_write_readme(AtOutput *output, const AtEvidence *evidence)
{
	AtEvidenceHead head;
	AtError error = at_evidence_head_read(&head, evidence);

	if (error == AT_OK)
	{
		write_beginning(output, &head, evidence);
		write_manifest(output);
		write_key(output, &head);
		write_signature(output, &head);
		write_cosignatures(output, &head);
		write_stamps(output, &head, evidence);
		write_event(output, evidence);
		write_batch(output, evidence);
		write_log(output, &head, evidence);
		write_session(output, evidence);
		write_end(output);
	}

	AtError end_error = at_output_end(output);

	return error != AT_OK ? error : end_error;
}

static void
write_beginning(AtOutput *output, const AtEvidenceHead *head, const AtEvidence *evidence)
{
	at_out_string(output, "EVIDENCE FROM AN AUDIT TRAIL\n\n");
	at_out_string(output, "Events here: ");
	at_out_decimal(output, head->event_count);
	at_out_string(output, ". Transactions: ");
	at_out_decimal(output, evidence->transaction_count);
	at_out_string(output, ". From the log: ");
	at_out(output, head->checkpoint.origin);
	at_out_string(
		output,
		"\n\n"
		"The log is a list that can be added to and not changed unnoticed. Its head, the\n"
		"checkpoint, is signed. This bundle proves that the events stand in the list below\n"
		"that head, exactly as they stand here. You need nobody's word for that but for one\n"
		"thing: which public key is the log's. Have it from somebody you trust, by another way\n"
		"than this bundle.\n\n"
		"  report.html   what happened, for people; what is proved and what is not\n"
		"  events.json   all of it, for programs\n"
		"  checkpoint    the signed head of the log, with the signatures of witnesses\n"
		"  keys          public keys: of the log, then of witnesses\n"
		"  timestamp/    time stamps of the checkpoint (RFC 3161), if there are any\n"
		"  log/          entries of the log, and the proof of each\n"
		"  tx/           transactions and events: the hashed bytes (.body), their proofs (.proof)\n"
		"  MANIFEST      the SHA-256 of each of these files\n\n"
		"What the formats are is told by doc/format.md of audit_trail. The program audit_verify\n"
		"checks all of this bundle at once. By hand it is done as follows. You need a POSIX\n"
		"shell, the usual utilities, and openssl 3. Go into the directory of this bundle, start\n"
		"a shell for it (sh), and copy the lines that begin with four spaces, one after the\n"
		"other. Each check prints \"ok\"; the first that fails ends the shell.\n\n");
}

static void
write_manifest(AtOutput *output)
{
	at_out_string(output,
				  "1. Are the files whole?\n\n"
				  "This finds damage, not forgery: who changes a file can change MANIFEST too.\n\n"
				  "    set -e\n"
				  "    sha256sum -c --quiet --strict MANIFEST && echo \"1. files: ok\"\n\n");
}

static void
write_key(AtOutput *output, const AtEvidenceHead *head)
{
	at_out_string(
		output,
		"2. Is it the key of the log?\n\n"
		"The checkpoint is signed by the key below. Compare it with the one that you were\n"
		"given elsewhere. If nobody gave you one, what follows proves only that whoever has\n"
		"this key signed.\n\n"
		"    key=");
	write_quoted(output, head->key_line);
	at_out_string(
		output,
		"\n"
		"    grep -qxF \"$key\" keys && echo \"2. key: $key\"\n\n"
		"Functions for what follows: a hash, base64, a comparison; the key in a form that\n"
		"openssl reads.\n\n"
		"    work=$(mktemp -d)\n"
		"    hash() { openssl dgst -sha256 -binary; }\n"
		"    bytes() { printf '%s' \"$1\" | openssl base64 -d -A; }\n"
		"    same() { cmp -s \"$work/is\" \"$work/must\" && echo \"$1: ok\" || "
		"{ echo \"$1: WRONG\"; exit 1; }; }\n"
		"    { printf '\\060\\052\\060\\005\\006\\003\\053\\145\\160\\003\\041\\000'; bytes '");
	/* the key's bytes are in base64 behind the last plus sign of name+id+ */
	at_out(output, (AtText){head->key_line.data + strlen(head->key.name) + 10,
							head->key_line.len - strlen(head->key.name) - 10});
	at_out_string(
		output,
		"' | tail -c 32; } > \"$work/key.der\"\n"
		"    openssl pkey -pubin -inform DER -in \"$work/key.der\" -out \"$work/key.pem\"\n\n");
}

static void
write_signature(AtOutput *output, const AtEvidenceHead *head)
{
	int lines = at_evidence_text_lines(head);

	at_out_string(
		output,
		"3. Has this key signed the checkpoint?\n\n"
		"Lines of its text: the log's name, the number of its entries, the root of the tree\n"
		"over them. A signature line ends with base64, of four bytes that name the key and\n"
		"the signature.\n\n"
		"    head -n ");
	at_out_decimal(output, (uint64_t) lines);
	at_out_string(output, " checkpoint > \"$work/text\"\n"
						  "    bytes \"$(sed -n ");
	at_out_decimal(output, (uint64_t) (lines + 2 + head->signature));
	at_out_string(
		output,
		"p checkpoint | cut -d ' ' -f 3)\" | tail -c +5 > \"$work/signature\"\n"
		"    openssl pkeyutl -verify -pubin -inkey \"$work/key.pem\" -rawin -in \"$work/text\" \\\n"
		"    -sigfile \"$work/signature\" > \"$work/said\" && echo \"3. signature: ok\"\n\n");
}

/* "4." is always there, so that the numbers are the same in all bundles. */
static void
write_cosignatures(AtOutput *output, const AtEvidenceHead *head)
{
	at_out_string(output, "4. Who else has seen this checkpoint, and when?\n\n");
	if (head->note.signature_count == 1)
	{
		at_out_string(output, "No witness has signed it.\n\n");
		return;
	}
	at_out_string(output, "It has signature lines by the following too. Ask them for their public "
						  "keys, which\naudit_verify takes (--witness).\n\n");
	for (int i = 0; i < head->note.signature_count; i++)
	{
		if (i == head->signature)
			continue;
		at_out_string(output, "  ");
		at_out(output, head->note.signature[i].name);
		at_out_string(output, "\n");
	}
	at_out_string(output, "\n");
}

static void
write_stamps(AtOutput *output, const AtEvidenceHead *head, const AtEvidence *evidence)
{
	for (size_t i = 0; i < evidence->stamp_count; i++)
		write_stamp(output, head, evidence, &evidence->stamp[i]);
}

static void
write_stamp(AtOutput *output, const AtEvidenceHead *head, const AtEvidence *evidence,
			const AtEvidenceStamp *stamp)
{
	int lines = at_evidence_text_lines(head);
	int64_t when;

	at_out_string(output, "The time stamp timestamp/");
	at_out(output, stamp->name);
	switch (at_evidence_stamped(head, evidence, stamp->response, &when))
	{
		case AT_STAMPED_NOTHING:
			at_out_string(output, ".tsr is not of this checkpoint, and proves nothing here.\n\n");
			return;
		case AT_STAMPED_FILE:
			lines += 1 + head->note.signature_count;
			break;
		case AT_STAMPED_NOTE:
			lines += 2;
			break;
		default:
			break;
	}
	at_out_string(output,
				  ".tsr is checked with the certificate of its\n"
				  "authority, which you have from there: put the name of its file into tsa.\n\n"
				  "    : \"${tsa:?is not set}\"\n"
				  "    head -n ");
	at_out_decimal(output, (uint64_t) lines);
	at_out_string(output, " checkpoint > \"$work/stamped\"\n"
						  "    openssl ts -verify -data \"$work/stamped\" -in timestamp/");
	at_out(output, stamp->name);
	at_out_string(output, ".tsr -CAfile \"$tsa\" > \"$work/said\" 2>&1 || "
						  "{ cat \"$work/said\"; exit 1; }\n"
						  "    openssl ts -reply -in timestamp/");
	at_out(output, stamp->name);
	at_out_string(output, ".tsr -text 2> \"$work/said\" | "
						  "sed -n 's/^Time stamp: /4. stamped: /p'\n\n");
}

static void
write_event(AtOutput *output, const AtEvidence *evidence)
{
	at_out_string(
		output,
		"5. What is the fingerprint of an event?\n\n"
		"The first one here, to look at, and its hash, with a zero byte before it. Texts in it\n"
		"stand behind their lengths.\n\n"
		"    cat -v ");
	write_event_path(output, evidence);
	at_out_string(output,
				  ".body && echo\n"
				  "    leaf() { { printf '\\000'; cat \"$1\"; } | hash > \"$work/is\"; }\n"
				  "    left() { { printf '\\001'; bytes \"$1\"; cat \"$work/is\"; } | hash > "
				  "\"$work/up\" && mv \"$work/up\" \"$work/is\"; }\n"
				  "    right() { { printf '\\001'; cat \"$work/is\"; bytes \"$1\"; } | hash > "
				  "\"$work/up\" && mv \"$work/up\" \"$work/is\"; }\n"
				  "    leaf ");
	write_event_path(output, evidence);
	at_out_string(output, ".body\n\n");
}

static void
write_batch(AtOutput *output, const AtEvidence *evidence)
{
	const AtEventProof *example = evidence->example;
	AtEntryBody entry;

	if (!at_entry_body_read(&entry, at_text_bytes(example->entry), example->entry.len))
		return;
	at_out_string(output,
				  "6. Is the event in its batch?\n\n"
				  "Events that were sealed together are the leaves of a tree. This one is number ");
	at_out_decimal(output, example->number);
	at_out_string(output, " of\n");
	at_out_decimal(output, entry.leaf_count);
	at_out_string(
		output,
		", counted from 0. Each step joins the hash so far with the one beside it, which the\n"
		"proof tells. At the end is the root of the tree, as the entry of the batch has it.\n\n");
	write_path(output, &example->path, example->number, entry.leaf_count);
	at_out_string(output, "    tail -c +");
	at_out_decimal(output, ENTRY_BEFORE_ROOT + entry.kind.len + 1);
	at_out_string(output, " log/");
	at_out_decimal(output, entry.log_index);
	at_out_string(output, ".entry | head -c 32 > \"$work/must\"\n"
						  "    same \"6. event in its batch\"\n\n");
}

static void
write_log(AtOutput *output, const AtEvidenceHead *head, const AtEvidence *evidence)
{
	const AtEventProof *example = evidence->example;

	at_out_string(output, "7. Is the batch in the log?\n\n"
						  "The same again: the entry is number ");
	at_out_decimal(output, example->log.index);
	at_out_string(output, " of ");
	at_out_decimal(output, head->checkpoint.size);
	at_out_string(output, ", and the root is in the checkpoint.\n\n"
						  "    leaf log/");
	at_out_decimal(output, example->log.index);
	at_out_string(output, ".entry\n");
	write_path(output, &example->log.proof, example->log.index, head->checkpoint.size);
	at_out_string(output, "    bytes \"$(sed -n 3p checkpoint)\" > \"$work/must\"\n"
						  "    same \"7. batch in the log\"\n\n");
}

/* The session of a transaction that wrote it. */
static void
write_session(AtOutput *output, const AtEvidence *evidence)
{
	if (evidence->session_count == 0)
		return;
	at_out_string(
		output,
		"8. Whence did they come?\n\n"
		"What the server knew of a session is bound by its hash, which ends the transaction\n"
		"that was the first of the session.\n\n"
		"    hash < tx/");
	at_out_decimal(output, evidence->session[0].tx_id);
	at_out_string(output, "/session.body > \"$work/is\"\n"
						  "    tail -c 32 tx/");
	at_out_decimal(output, evidence->session[0].tx_id);
	at_out_string(output, "/transaction.body > \"$work/must\"\n"
						  "    same \"8. session\"\n\n");
}

static void
write_end(AtOutput *output)
{
	at_out_string(
		output,
		"    rm -r \"$work\"\n"
		"    echo \"done\"\n\n"
		"Other events, and the transactions, are proved in the same way: their paths are in\n"
		"their .proof files, the one to the root of the log line by line, the one to the\n"
		"root of the batch in base64 behind \"extra\". That report.html, events.json and this\n"
		"file say what the proofs say is checked by audit_verify, which makes them anew.\n");
}

/*
 * The way from a leaf to the root: a hash beside it is on the left where
 * the leaf is in a right half, or where there is nothing on the right.
 */
static void
write_path(AtOutput *output, const AtProof *proof, uint64_t number, uint64_t size)
{
	uint64_t last = size - 1;

	for (int i = 0; i < proof->count; i++)
	{
		bool on_left = (number & 1) != 0 || number == last;

		/* without a hash beside it, it goes up as it is */
		while (number == last && (number & 1) == 0 && number > 0)
		{
			number >>= 1;
			last >>= 1;
		}
		at_out_string(output, on_left ? "    left '" : "    right '");
		at_out_base64(output, proof->hash[i].bytes, AT_HASH_LEN);
		at_out_string(output, "'\n");
		number >>= 1;
		last >>= 1;
	}
}

static void
write_event_path(AtOutput *output, const AtEvidence *evidence)
{
	const AtEvidenceTransaction *transaction = at_evidence_first(evidence);

	at_out_string(output, "tx/");
	at_out_decimal(output, transaction->tx_id);
	at_out_string(output, "/");
	at_out_decimal(output, transaction->event[0].ordinal);
}

/* In single quotes of the shell. */
static void
write_quoted(AtOutput *output, AtText text)
{
	at_out_string(output, "'");
	for (size_t i = 0; i < text.len; i++)
	{
		if (text.data[i] == '\'')
			at_out_string(output, "'\\'");
		at_out(output, (AtText){&text.data[i], 1});
	}
	at_out_string(output, "'");
}
