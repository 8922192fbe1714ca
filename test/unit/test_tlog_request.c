/*-------------------------------------------------------------------------
 * test_tlog_request.c
 *		What a witness is sent: the vector, and lines that are wrong.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "check.h"
#include "core/checkpoint.h"
#include "core/merkle.h"
#include "core/tlog_request.h"
#include "proof_vectors.h"
#include "vectors.h"

static AtError read_text(const char *text);

static void
test_vector(void)
{
	AtText text = at_text(vector_tlog_request);
	AtPublicKey log_key;
	AtTrust trust = {.log_key = &log_key};
	AtTlogRequest request;
	AtCheckpoint checkpoint;
	AtHash old_root;
	char buffer[1000];
	AtWriter writer = at_writer(buffer, sizeof(buffer));

	at_key_read_public(&log_key, at_text(VECTOR_LOG_KEY));
	check(at_tlog_request_read(&request, text) == AT_OK && request.old_size == 5 &&
			  request.proof.count == 4,
		  "the vector is read");
	check(at_checkpoint_open(&checkpoint, request.checkpoint, &trust) == AT_OK,
		  "its checkpoint is verified");
	from_hex(vector_tree8[request.old_size].root, old_root.bytes, AT_HASH_LEN);
	check(at_proof_verify_consistency(&request.proof, request.old_size, checkpoint.size, &old_root,
									  &checkpoint.root) == AT_OK,
		  "and its proof");
	check(at_tlog_request_write(&writer, &request) == AT_OK &&
			  at_text_equal((AtText){buffer, writer.len}, text),
		  "it is written back");
	writer = at_writer(buffer, 100);
	check(at_tlog_request_write(&writer, &request) == AT_ERR_NO_ROOM, "where there is room for it");
}

static void
test_lines(void)
{
	static const struct
	{
		AtError error;
		const char *text;
		const char *name;
	} cases[] = {
		{AT_OK, "old 0\n\n", "the first request, of no checkpoint"},
		{AT_OK, "old 9223372036854775807\n\n", "the largest tree"},
		{AT_ERR_OLD_SIZE_LINE, "", "nothing"},
		{AT_ERR_OLD_SIZE_LINE, "old 5", "a line without end"},
		{AT_ERR_OLD_SIZE_LINE, "old \n\n", "no size"},
		{AT_ERR_OLD_SIZE_LINE, "old 05\n\n", "a leading zero"},
		{AT_ERR_OLD_SIZE_LINE, "old 9223372036854775808\n\n", "a size of 2^63"},
		{AT_ERR_OLD_SIZE_LINE, "new 5\n\n", "another word"},
		{AT_ERR_OLD_SIZE_LINE, "\nold 5\n\n", "an empty line before"},
		{AT_ERR_HASH_LINE, "old 5\n", "no empty line"},
		{AT_ERR_HASH_LINE, "old 5\nAAAA\n\n", "a hash too short"},
	};

	for (size_t i = 0; i < lengthof(cases); i++)
		check(read_text(cases[i].text) == cases[i].error, cases[i].name);
}

static void
test_count(void)
{
	static AtTlogRequest request = {.old_size = AT_MERKLE_MAX_SIZE};
	static char buffer[AT_TLOG_REQUEST_HEAD_MAX + 1];
	AtWriter writer = at_writer(buffer, sizeof(buffer) - 1);
	char *end;

	request.proof.count = AT_TLOG_REQUEST_PROOF_MAX;
	check(at_tlog_request_write(&writer, &request) == AT_OK && read_text(buffer) == AT_OK,
		  "63 hashes are written and read, and fit");
	end = strstr(buffer, "\n\n") + 1;
	strcpy(end, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n");
	check(read_text(buffer) == AT_ERR_HASH_COUNT, "64 are not read");
	request.proof.count++;
	check(at_tlog_request_write(&writer, &request) == AT_ERR_HASH_COUNT, "nor written");
}

int
main(void)
{
	test_vector();
	test_lines();
	test_count();
	return check_done();
}

static AtError
read_text(const char *text)
{
	AtTlogRequest request;

	return at_tlog_request_read(&request, at_text(text));
}
