/*-------------------------------------------------------------------------
 * test_target_list.c
 *		Lists of versions of tables, and the fields that they are made of.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "check.h"
#include "core/field.h"
#include "core/target_list.h"

static uint8_t log_id[AT_LOG_ID_LEN] = "0123456789abcde";
static char bytes[1024];
static size_t len;

static AtSpan
span(const char *string)
{
	return (AtSpan){string, (uint32_t) strlen(string)};
}

/* Put the checksum behind what was written, or right again. */
static void
seal(size_t end)
{
	AtHash hash;

	at_hash(bytes, end, &hash);
	memcpy(bytes + end, &hash, AT_HASH_LEN);
	len = end + AT_HASH_LEN;
}

static void
make_list(void)
{
	AtWriter writer = at_writer(bytes, sizeof(bytes));
	AtColdTarget one = {7, span("public"), span("orders"), span("order"), span("sales")};
	AtColdTarget other = {-2, span(""), span("x"), {NULL, 0}, span("system")};

	at_target_list_write_head(&writer, log_id, 2);
	at_target_list_write(&writer, &one, INT64_C(-5));
	at_target_list_write(&writer, &other, INT64_C(1) << 40);
	seal(writer.len);
}

/* Read all; how many there were. */
static AtError
read_list(int *count, AtColdTarget target[4], int64_t at[4])
{
	AtTargetList list;
	AtError error = at_target_list_read(&list, (AtText){bytes, len});
	bool found = true;

	for (*count = 0; error == AT_OK && *count < 4; ++*count)
	{
		error = at_target_list_next(&list, &target[*count], &at[*count], &found);
		if (error != AT_OK || !found)
			break;
	}
	return error;
}

static bool
reads(void)
{
	AtColdTarget target[4];
	int64_t at[4];
	int count;

	return read_list(&count, target, at) == AT_OK && count == 2;
}

int
main(void)
{
	AtColdTarget target[4];
	int64_t at[4];
	int count;
	int wrong = 0;
	size_t end;
	AtText text = {"\0\0\0\3ab", 6};
	AtText rest = text;
	AtSpan field;

	make_list();
	end = len - AT_HASH_LEN;
	check(read_list(&count, target, at) == AT_OK && count == 2, "a list is read back");
	check(target[0].target_id == 7 && at[0] == -5 && target[0].context.len == 5 &&
			  target[1].target_id == -2 && at[1] == INT64_C(1) << 40 &&
			  target[1].schema.data != NULL && target[1].schema.len == 0 &&
			  target[1].resource_type.data == NULL,
		  "as it was written");
	bytes[30] ^= 1;
	check(read_list(&count, target, at) == AT_ERR_CHECKSUM, "a change has not its checksum");
	bytes[30] ^= 1;
	for (size_t cut = 1; cut < end; cut++)
	{
		make_list();
		seal(end - cut);
		wrong += read_list(&count, target, at) == AT_OK;
	}
	check(wrong == 0, "no beginning of it is a list");
	len = AT_HASH_LEN;
	check(read_list(&count, target, at) == AT_ERR_TARGET_LIST, "nor are a few bytes");
	make_list();
	bytes[end] = 0;
	seal(end + 1);
	check(read_list(&count, target, at) == AT_ERR_TARGET_LIST, "something behind the last");
	make_list();
	bytes[0] = 'B';
	check(read_list(&count, target, at) == AT_ERR_TARGET_LIST, "another magic");
	make_list();
	check_failures(reads, 4, "to read one fails with libcrypto");
	check(!at_field_get_span(&rest, &field), "a text is longer than what there is");
	return check_done();
}
