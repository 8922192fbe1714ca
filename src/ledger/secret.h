/*-------------------------------------------------------------------------
 * secret.h
 *		The key of hashed and personal columns: what audit_trail.hash_key_file
 *		names, or what audit_trail.hash_key_command prints.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SECRET_H
#define AT_SECRET_H

#include "core/commitment.h"

typedef struct AtSecret
{
	uint8 key[AT_SECRET_LEN];
	char id[2 * AT_SECRET_ID_LEN + 1]; /* tells which key it is; hexadecimal */
} AtSecret;

/*
 * The key, which belongs to the module. Raises an error with the file and
 * the cause if there is none or it cannot be used; see key_file.h.
 */
extern const AtSecret *at_secret_get(void);

#endif
