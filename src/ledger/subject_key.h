/*-------------------------------------------------------------------------
 * subject_key.h
 *		The keys of persons: core/subject.h with the key store underneath.
 *
 * Keys are wrapped by the key of audit_trail.hash_key_file (secret.h). Those that a backend has
 * used are in its memory until the end of the transaction, and overwritten then.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SUBJECT_KEY_H
#define AT_SUBJECT_KEY_H

#include "base/key_store.h"
#include "core/subject.h"

typedef struct AtSubjectKey
{
	uint8 name[AT_SUBJECT_NAME_LEN]; /* the hash key of the cache: first */
	AtKeyState state;
	uint8 key[AT_SUBJECT_KEY_LEN]; /* if found */
} AtSubjectKey;

/* Are personal values kept under keys of persons? */
extern bool at_subject_keys_used(void);

/*
 * The key of a person, who gets one if there is none, or if the last one was destroyed; valid until
 * the next call. Raises an error if the store cannot be used.
 */
extern const AtSubjectKey *at_subject_key_of(AtSpan subject);

/* The key of a name, whatever has become of it; likewise. */
extern const AtSubjectKey *at_subject_key_named(const uint8 *name);

/*
 * The names of keys that a person has or had, oldest first: an array in the current context; the
 * last one may be alive.
 */
extern int at_subject_key_names(AtSpan subject, uint8 (**names)[AT_SUBJECT_NAME_LEN]);

/* Destroy the key of a name, for ever and in all copies of the trail. May be done again. */
extern void at_subject_key_destroy(const uint8 *name);

/* Register the callback. */
extern void at_subject_key_init(void);

#endif
