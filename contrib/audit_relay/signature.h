/*-------------------------------------------------------------------------
 * signature.h
 *		Signatures of webhooks, as Standard Webhooks has them: HMAC-SHA256 over
 *		"ID.SECONDS.BODY".
 *-------------------------------------------------------------------------
 */
#ifndef AT_SIGNATURE_H
#define AT_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AT_SECRETS_MAX    4
#define AT_SECRET_MAX     128 /* bytes */
#define AT_SECRET_MIN     16
#define AT_SIGNATURES_MAX 256 /* of the header's value */

typedef struct AtSecret
{
	size_t len;
	unsigned char bytes[AT_SECRET_MAX];
} AtSecret;

typedef struct AtSecrets
{
	int count;
	AtSecret secret[AT_SECRETS_MAX];
} AtSecrets;

/*
 * Read a file of secrets, one a line: "whsec_" and base64, or any other text as it is. While
 * one is being replaced there are two, and each signs. False, and a reason, if it holds none,
 * or others may read it.
 */
extern bool at_secrets_read(AtSecrets *secrets, const char *path, const char **reason);

/* The value of the header webhook-signature; false if libcrypto failed. */
extern bool at_sign(char signatures[AT_SIGNATURES_MAX], const AtSecrets *secrets, const char *id,
					int64_t seconds, const char *body);

#endif
