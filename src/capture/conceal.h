/*-------------------------------------------------------------------------
 * conceal.h
 *		What stands in recorded values for one that nobody is to read.
 *
 * Masked values are all "***". A hash is "hmac-sha256:KEY:HEX", a commitment
 * "commitment:KEY:HEX", where KEY tells which key made it (secret.h), and
 * what is hashed is the bare text of the value, however long it is. Nothing
 * of a masked value is looked at. Where there is a directory of keys of
 * persons, a personal value is its commitment and the value itself, both under
 * the key of the person whose it is (core/subject.h).
 *-------------------------------------------------------------------------
 */
#ifndef AT_CONCEAL_H
#define AT_CONCEAL_H

#include "capture/render.h"
#include "core/commitment.h"
#include "core/subject.h"

#define AT_MASK              "***"
#define AT_HASH_PREFIX       "hmac-sha256:"
#define AT_COMMITMENT_PREFIX "commitment:"

/* What the commitments of an event have in common, and whose values its sides hold. */
typedef struct AtPersonal
{
	bool drawn; /* there is a nonce, because there is a commitment */
	uint8 nonce[AT_NONCE_LEN];
	uint8 side;     /* the one that is being written; see AtCommitmentPlace */
	AtSpan subject; /* of that side; data is NULL where nobody knows */
} AtPersonal;

/*
 * Append what stands for the value, never null, of a column that is masked,
 * hashed or personal, as JSON. `personal` is used for personal ones only.
 */
extern void at_conceal(AtColumn *column, Datum value, AtPersonal *personal, StringInfo out);

/* The hash of a text, without quotes. */
extern char *at_conceal_hash(const char *text, int len);

/* The commitment of a text under the one key, without quotes. */
extern char *at_conceal_commit(const AtPersonal *personal, AtSpan column, const char *text,
							   int len);

/*
 * Is the text what was recorded as a person's value? Raises an error if the key is not there
 * any more.
 */
extern bool at_conceal_is_personal(const AtPersonal *personal, AtSpan column,
								   const AtPersonalText *recorded, const char *text, int len);

#endif
