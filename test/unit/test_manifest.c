/*-------------------------------------------------------------------------
 * test_manifest.c
 *		The list of a bundle's files: lines in their order, and no others.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "core/manifest.h"

#define DIGITS "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff"

static void
test_round_trip(void)
{
	char buffer[3 * AT_MANIFEST_LINE_MAX];
	AtWriter writer = at_writer(buffer, sizeof(buffer));
	AtText last = {NULL, 0};
	AtText rest;
	AtText path;
	AtHash hash;
	AtHash read;

	from_hex(DIGITS, hash.bytes, sizeof(hash.bytes));
	at_manifest_write_line(&writer, &hash, at_text("checkpoint"));
	at_manifest_write_line(&writer, &hash, at_text("log/10.entry"));
	at_manifest_write_line(&writer, &hash, at_text("log/2.entry"));
	rest = (AtText){buffer, writer.len};
	check(at_text_equal(rest, at_text(DIGITS "  checkpoint\n" DIGITS "  log/10.entry\n" DIGITS
											 "  log/2.entry\n")),
		  "lines are as sha256sum has them");
	for (int i = 0; i < 3; i++)
	{
		check(at_manifest_next(&rest, last, &read, &path) == AT_OK &&
				  memcmp(&read, &hash, sizeof(hash)) == 0,
			  "a line is read");
		last = path;
	}
	check(at_text_equal(path, at_text("log/2.entry")) && rest.len == 0, "to the last one");
}

static void
test_refused(void)
{
	static const char *const cases[] = {
		"",
		DIGITS,
		DIGITS "\n",
		DIGITS "  keys",
		DIGITS " keys\n",
		DIGITS " *keys\n",
		DIGITS "   keys\n",
		DIGITS "  keys \n",
		DIGITS "  keys\r\n",
		DIGITS "  other\n",
		DIGITS "  MANIFEST\n",
		DIGITS "  ../keys\n",
		"00  keys\n",
		"\\" DIGITS "  keys\n",
		"000102030405060708090A0b0c0d0e0f101112131415161718191a1b1c1d1e1f  keys\n",
		"000102030405060708090g0b0c0d0e0f101112131415161718191a1b1c1d1e1f  keys\n",
		"00010203040506070809-a0b0c0d0e0f101112131415161718191a1b1c1d1e1f  keys\n",
	};
	AtText path;
	AtHash hash;

	for (size_t i = 0; i < lengthof(cases); i++)
	{
		AtText rest = at_text(cases[i]);

		check(at_manifest_next(&rest, (AtText){NULL, 0}, &hash, &path) == AT_ERR_MANIFEST,
			  "what is no line is refused");
	}
	AtText rest = at_text(DIGITS "  keys\n");

	check(at_manifest_next(&rest, at_text("keys"), &hash, &path) == AT_ERR_MANIFEST,
		  "so is a path that is there twice");
	rest = at_text(DIGITS "  keys\n");
	check(at_manifest_next(&rest, at_text("keysa"), &hash, &path) == AT_ERR_MANIFEST,
		  "and one that should have come before");
}

int
main(void)
{
	test_round_trip();
	test_refused();
	return check_done();
}
