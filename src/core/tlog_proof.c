/*-------------------------------------------------------------------------
 * tlog_proof.c
 *		A proof that can be checked without the log: C2SP tlog-proof, version 1.
 *-------------------------------------------------------------------------
 */
#include "core/base64.h"
#include "core/tlog_proof.h"

#define HEAD "c2sp.org/tlog-proof@v1\n"

static bool read_extra(AtText *extra, AtText *text);
static bool read_index(uint64_t *index, AtText *text);

AtError
at_tlog_proof_read(AtTlogProof *proof, AtText text)
{
	if (!at_text_skip(&text, HEAD))
		return AT_ERR_PROOF_LINE;
	if (!read_extra(&proof->extra, &text))
		return AT_ERR_EXTRA_LINE;
	if (!read_index(&proof->index, &text))
		return AT_ERR_INDEX_LINE;

	AtError error = at_proof_read(&proof->proof, &text);

	proof->checkpoint = text;
	return error;
}

AtError
at_tlog_proof_write(AtWriter *writer, const AtTlogProof *proof)
{
	size_t len;

	if (proof->extra.data != NULL && !at_base64_check(proof->extra, &len))
		return AT_ERR_EXTRA_LINE;

	at_write_string(writer, HEAD);
	if (proof->extra.data != NULL)
	{
		at_write_string(writer, "extra ");
		at_write(writer, proof->extra);
		at_write_string(writer, "\n");
	}
	at_write_string(writer, "index ");
	at_write_decimal(writer, proof->index);
	at_write_string(writer, "\n");
	at_proof_write(writer, &proof->proof);
	at_write_string(writer, "\n");
	at_write(writer, proof->checkpoint);
	return at_writer_error(writer);
}

AtError
at_tlog_proof_verify(const AtTlogProof *proof, const AtHash *leaf, const AtTrust *trust,
					 AtCheckpoint *checkpoint)
{
	AtError error = at_checkpoint_open(checkpoint, proof->checkpoint, trust);

	return error != AT_OK ? error : at_tlog_proof_verify_in(proof, leaf, checkpoint);
}

AtError
at_tlog_proof_verify_in(const AtTlogProof *proof, const AtHash *leaf,
						const AtCheckpoint *checkpoint)
{
	return at_proof_verify_inclusion(&proof->proof, proof->index, checkpoint->size, leaf,
									 &checkpoint->root);
}

/* The line may be missing; then *extra is nothing. */
static bool
read_extra(AtText *extra, AtText *text)
{
	size_t len;

	*extra = (AtText){NULL, 0};
	if (!at_text_skip(text, "extra "))
		return true;

	return at_text_line(text, extra) && at_base64_check(*extra, &len);
}

static bool
read_index(uint64_t *index, AtText *text)
{
	AtText line;

	return at_text_skip(text, "index ") && at_text_line(text, &line) &&
		   at_text_decimal(line, index);
}
