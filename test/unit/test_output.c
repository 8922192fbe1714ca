/*-------------------------------------------------------------------------
 * test_output.c
 *		Output in pieces: all of it, in its order, or nothing more.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "check.h"
#include "core/output.h"

#define MUCH (3 * AT_OUTPUT_BUFFER + 7)

/* Who takes the pieces. */
typedef struct Taker
{
	AtWriter writer;
	int pieces;
	int most; /* so many pieces, and no more */
} Taker;

static char buffer[2 * MUCH];

static bool
take(void *arg, AtText piece)
{
	Taker *taker = arg;

	if (taker->pieces == taker->most)
		return false;
	taker->pieces++;
	at_write(&taker->writer, piece);
	return true;
}

static Taker
taker_of(int most)
{
	return (Taker){.writer = at_writer(buffer, sizeof(buffer)), .most = most};
}

static bool
has_taken(const Taker *taker, const char *text)
{
	return at_text_equal((AtText){taker->writer.data, taker->writer.len}, at_text(text));
}

static void
test_forms(void)
{
	static const uint8_t bytes[50] = {0, 1, 0xab, 0xff};
	Taker taker = taker_of(10);
	AtOutput output;

	at_output_start(&output, take, &taker);
	at_out_string(&output, "a ");
	at_out_decimal(&output, UINT64_MAX);
	at_out_string(&output, " ");
	at_out_signed(&output, INT64_MIN);
	at_out_string(&output, " ");
	at_out_signed(&output, 7);
	at_out_string(&output, " ");
	at_out_hex(&output, bytes, 4);
	at_out_string(&output, " ");
	at_out_base64(&output, bytes, 4);
	at_out(&output, (AtText){NULL, 0});
	check(taker.pieces == 0, "little is kept back");
	check(at_output_end(&output) == AT_OK && taker.pieces == 1 &&
			  has_taken(&taker, "a 18446744073709551615 -9223372036854775808 7 0001abff AAGr/w=="),
		  "all forms are written");

	taker = taker_of(10);
	at_output_start(&output, take, &taker);
	at_out_base64(&output, bytes, sizeof(bytes));
	check(at_output_end(&output) == AT_OK &&
			  has_taken(&taker,
						"AAGr/wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
		  "longer base64 is as one");
}

static void
test_much(void)
{
	static char much[MUCH];
	Taker taker = taker_of(10);
	AtOutput output;

	for (size_t i = 0; i < sizeof(much); i++)
		much[i] = (char) ('a' + i % 26);
	at_output_start(&output, take, &taker);
	at_out_string(&output, "much: ");
	at_out(&output, (AtText){much, sizeof(much)});
	check(taker.pieces == 3, "much is handed on while it comes");
	check(at_output_end(&output) == AT_OK && taker.writer.len == 6 + sizeof(much) &&
			  memcmp(taker.writer.data + 6, much, sizeof(much)) == 0,
		  "and is whole");

	taker = taker_of(1);
	at_output_start(&output, take, &taker);
	at_out(&output, (AtText){much, sizeof(much)});
	at_out_string(&output, "more");
	check(at_output_end(&output) == AT_ERR_OUTPUT && taker.pieces == 1,
		  "when a piece is not taken no other follows");
}

static void
test_nothing(void)
{
	Taker taker = taker_of(0);
	AtOutput output;

	at_output_start(&output, take, &taker);
	check(at_output_end(&output) == AT_OK, "of nothing there is no piece");
	at_out_string(&output, "x");
	check(at_output_end(&output) == AT_ERR_OUTPUT, "the last piece may not be taken either");
}

int
main(void)
{
	test_forms();
	test_much();
	test_nothing();
	return check_done();
}
