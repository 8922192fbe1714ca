/*-------------------------------------------------------------------------
 * test_commitment.c
 *		Keyed hashes and commitments: frozen vectors, failures.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "check.h"
#include "core/commitment.h"
#include "vectors.h"

/* Each vector differs from the first in one thing, which its three answers must show, or not. */
static void
test_vectors(void)
{
	for (size_t i = 0; i < lengthof(vector_commitment); i++)
	{
		const AtSpan *value = &vector_commitment[i].value;
		uint8_t secret[AT_SECRET_LEN];
		uint8_t nonce[AT_NONCE_LEN];
		uint8_t id[AT_SECRET_ID_LEN];
		AtCommitmentPlace place = {
			.log_id = vector_log_id,
			.nonce = nonce,
			.side = vector_commitment[i].side,
			.subject = vector_commitment[i].subject,
			.column = vector_commitment[i].column,
		};
		AtHash hash;

		from_hex(vector_commitment[i].secret, secret, sizeof(secret));
		from_hex(vector_commitment[i].nonce, nonce, sizeof(nonce));
		check(at_secret_id(secret, id), "a secret has an id");
		check_hex(id, sizeof(id), vector_commitment[i].id, "the id of a secret");
		check(at_keyed_hash(secret, value->data, value->len, &hash), "a value has a keyed hash");
		check_hex(&hash, AT_HASH_LEN, vector_commitment[i].hash, "the keyed hash of a value");
		check(at_commitment(secret, &place, value->data, value->len, &hash),
			  "a value has a commitment");
		check_hex(&hash, AT_HASH_LEN, vector_commitment[i].commitment, "the commitment of a value");
	}
}

/* Whatever is told of the place changes the commitment. */
static void
test_differences(void)
{
	int equal = 0;

	for (size_t i = 0; i < lengthof(vector_commitment); i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(vector_commitment[i].commitment, vector_commitment[j].commitment) == 0)
				equal++;
	check(equal == 0, "no two commitments are equal");
}

static const uint8_t zeros[AT_SECRET_LEN];

static bool
call_id(void)
{
	uint8_t id[AT_SECRET_ID_LEN];

	return at_secret_id(zeros, id);
}

static bool
call_keyed_hash(void)
{
	AtHash hash;

	return at_keyed_hash(zeros, "a", 1, &hash);
}

static bool
call_commitment(void)
{
	AtCommitmentPlace place = {
		.log_id = zeros, .nonce = zeros, .side = 'N', .subject = {"1", 1}, .column = {"a", 1}};
	AtHash hash;

	return at_commitment(zeros, &place, "a", 1, &hash);
}

static void
test_failures(void)
{
	check_failures(call_id, 10, "at_secret_id reports every failure of libcrypto");
	check_failures(call_keyed_hash, 10, "at_keyed_hash reports every failure of libcrypto");
	check_failures(call_commitment, 22, "at_commitment reports every failure of libcrypto");
}

int
main(void)
{
	test_vectors();
	test_differences();
	test_failures();
	return check_done();
}
