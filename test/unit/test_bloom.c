/*-------------------------------------------------------------------------
 * test_bloom.c
 *		Bloom filters: what was put in is there, and nearly nothing else is.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/bloom.h"

#define TEXTS 1000

static uint64_t
hash_of(const char *prefix, int number)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%s%d", prefix, number);

	return at_bloom_hash(8, (AtSpan){text, (uint32_t) len});
}

static void
test_members(void)
{
	size_t size = at_bloom_size(TEXTS);
	uint8_t *filter = calloc(1, size);
	bool all = true;
	int others = 0;

	for (int i = 0; i < TEXTS; i++)
		at_bloom_put(filter, size, hash_of("order ", i));
	for (int i = 0; i < TEXTS; i++)
		all = all && at_bloom_has(filter, size, hash_of("order ", i));
	check(all, "what was put in is there");
	for (int i = 0; i < 100000; i++)
		others += at_bloom_has(filter, size, hash_of("other ", i));
	check(others < 100, "less than one of 1000 others seems to be");
	free(filter);
}

static void
test_edges(void)
{
	uint8_t empty[8] = {0};

	check(at_bloom_size(0) == 8 && at_bloom_size(4) == 8 && at_bloom_size(1000) == 2000,
		  "it has 16 bits for each text, and 8 bytes at least");
	check(!at_bloom_has(empty, sizeof(empty), hash_of("", 1)), "an empty filter has nothing");
	check(at_bloom_has(NULL, 0, hash_of("", 1)), "no filter has everything");
}

/* What is stored rests on these. */
static void
test_frozen(void)
{
	uint8_t filter[8] = {0};

	check(at_bloom_hash(8, (AtSpan){"42", 2}) == UINT64_C(0xd51fa39f7147509d) &&
			  at_bloom_hash(11, (AtSpan){"42", 2}) == UINT64_C(0x6924661e966aa77e) &&
			  at_bloom_hash(255, (AtSpan){"", 0}) == UINT64_C(0x1bbd5c813c69a8d7),
		  "a hash is of the text and of what it is");
	at_bloom_put(filter, sizeof(filter), at_bloom_hash(8, (AtSpan){"42", 2}));
	check_hex(filter, sizeof(filter), "0000802a00004015", "the bits are those of the format");
}

int
main(void)
{
	test_members();
	test_edges();
	test_frozen();
	return check_done();
}
