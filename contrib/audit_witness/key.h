/*-------------------------------------------------------------------------
 * key.h
 *		Keys in files, and on the command line.
 *-------------------------------------------------------------------------
 */
#ifndef AT_WITNESS_KEY_H
#define AT_WITNESS_KEY_H

#include "core/key.h"

/* Make a file with a new key of a witness, mode 0600, and print the public key. */
extern void at_make_key(const char *path, const char *name);

/*
 * Read the key of a witness. The file must be the user's own, and nobody else
 * may read it. The caller at_key_forget()s the key.
 */
extern void at_read_key(const char *path, AtPrivateKey *key);

/*
 * Call back for each public key that an argument stands for: itself, or the
 * lines of the file of this name. At least one, or the program ends.
 */
extern void at_each_key(const char *argument, void (*take)(const AtPublicKey *key, void *arg),
						void *arg);

#endif
