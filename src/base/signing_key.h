/*-------------------------------------------------------------------------
 * signing_key.h
 *		The key that signs the checkpoints of this database's log: what
 *		audit_trail.signing_key_file names.
 *
 * The file is as key_file.h demands. Its first line is a private key in the
 * text form of core/key.h. A key that takes the place of another has its
 * endorsement behind it (core/endorsement.h). doc/format.md has both.
 *
 * Nothing of it is kept: whoever signs reads the file, signs, and forgets.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SIGNING_KEY_H
#define AT_SIGNING_KEY_H

#include "core/endorsement.h"

typedef struct AtSigningKey
{
	AtPrivateKey key;
	char endorsement[AT_ENDORSEMENT_MAX + 1]; /* empty if there is none */
} AtSigningKey;

/* Is a file named at all? */
extern bool at_signing_key_is_configured(void);

/*
 * Read the key. Raises an error with the file and the cause if it cannot be
 * used, and nothing of its content; the caller at_key_forget()s the key.
 * Names are ASCII, so that notes and payloads are the same in every encoding.
 */
extern void at_signing_key_read(AtSigningKey *key);

/*
 * The path that a setting names in this database, palloc'd: each %d is
 * replaced by the database's name. Raises an error if that name could lead
 * elsewhere: it begins with a dot or has a slash.
 */
extern char *at_database_path(const char *setting);

#endif
