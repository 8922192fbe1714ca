/*-------------------------------------------------------------------------
 * tlog_request.c
 *		What a log sends to a witness to have a checkpoint cosigned: the body
 *		of C2SP tlog-witness's add-checkpoint.
 *-------------------------------------------------------------------------
 */
#include "core/merkle.h"
#include "core/tlog_request.h"

AtError
at_tlog_request_read(AtTlogRequest *request, AtText text)
{
	AtText line;

	if (!at_text_skip(&text, "old ") || !at_text_line(&text, &line) ||
		!at_text_decimal(line, &request->old_size) || request->old_size > AT_MERKLE_MAX_SIZE)
		return AT_ERR_OLD_SIZE_LINE;

	AtError error = at_proof_read(&request->proof, &text);

	request->checkpoint = text;
	if (error == AT_OK && request->proof.count > AT_TLOG_REQUEST_PROOF_MAX)
		error = AT_ERR_HASH_COUNT;
	return error;
}

AtError
at_tlog_request_write(AtWriter *writer, const AtTlogRequest *request)
{
	if (request->proof.count > AT_TLOG_REQUEST_PROOF_MAX)
		return AT_ERR_HASH_COUNT;

	at_write_string(writer, "old ");
	at_write_decimal(writer, request->old_size);
	at_write_string(writer, "\n");
	at_proof_write(writer, &request->proof);
	at_write_string(writer, "\n");
	at_write(writer, request->checkpoint);
	return at_writer_error(writer);
}
