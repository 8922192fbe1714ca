/*-------------------------------------------------------------------------
 * fuzz_key_read.c
 *		Keys from any bytes: what is accepted is written back, and nothing is
 *		left of a private key that is not.
 *-------------------------------------------------------------------------
 */
#include "core/key.h"
#include "target.h"

static void read_public(AtText text);
static void read_private(AtText text);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AtText text = copy_of(data, size);

	read_public(text);
	read_private(text);
	free((char *) text.data);
	return 0;
}

static void
read_public(AtText text)
{
	AtWriter writer = writer_of(AT_PUBLIC_KEY_TEXT_MAX);
	AtPublicKey key;

	if (at_key_read_public(&key, text) != AT_OK)
	{
		free(writer.data);
		return;
	}
	at_key_write_public(&writer, &key);
	expect_written(&writer, (AtText){text.data, text.len - (text.data[text.len - 1] == '\n')});
}

static void
read_private(AtText text)
{
	static const AtPrivateKey nothing;
	AtWriter writer = writer_of(AT_PRIVATE_KEY_TEXT_MAX);
	AtPrivateKey key;

	memset(&key, 0xee, sizeof(key));
	if (at_key_read_private(&key, text) != AT_OK)
	{
		expect(memcmp(&key, &nothing, sizeof(key)) == 0);
		free(writer.data);
		return;
	}
	at_key_write_private(&writer, &key);
	expect_written(&writer, (AtText){text.data, text.len - (text.data[text.len - 1] == '\n')});
}
