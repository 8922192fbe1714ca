/*-------------------------------------------------------------------------
 * note.h
 *		Signed notes: C2SP signed-note.
 *
 * A note is a text that ends in a newline, an empty line, and signature
 * lines: em dash, space, name of the key, space, base64 of the key's id (u32,
 * big-endian) and the signature. All of it is UTF-8 without control
 * characters but newlines.
 *
 * Keys of type AT_KEY_NOTE sign the text. The lines of keys that nobody asks
 * about are only checked for their form.
 *-------------------------------------------------------------------------
 */
#ifndef AT_NOTE_H
#define AT_NOTE_H

#include "core/key.h"
#include "core/text.h"

#define AT_NOTE_MAX_SIGNATURES 64

/* Longest line that at_note_sign() or at_cosignature_sign() writes. */
#define AT_SIGNATURE_LINE_MAX (AT_KEY_NAME_MAX + 110)

typedef struct AtNoteSignature
{
	AtText name;
	uint32_t key_id;
	AtText base64; /* valid, of the id and at least one byte more */
} AtNoteSignature;

/* Parts of a note; they point into what was read. */
typedef struct AtNote
{
	AtText text; /* with its last newline */
	int signature_count;
	AtNoteSignature signature[AT_NOTE_MAX_SIGNATURES];
} AtNote;

/* Take a note apart. Nothing is verified. */
extern AtError at_note_read(AtNote *note, AtText bytes);

/*
 * Is the note signed by the key, of type AT_KEY_NOTE? It must have a
 * signature under the key's name and id, and every one of those must verify.
 */
extern AtError at_note_verify(const AtNote *note, const AtPublicKey *key);

/*
 * Write a signature line for the text with a key of type AT_KEY_NOTE. The
 * whole note is the text, an empty line, and this.
 */
extern AtError at_note_sign(AtWriter *writer, AtText text, const AtPrivateKey *key);

/*
 * For signatures of other types: the next signature under the key's name
 * and id, from number *next on, which is moved behind it. Returns
 * AT_ERR_NOT_SIGNED if there is none, and AT_ERR_SIGNATURE if it does not
 * have len bytes.
 */
extern AtError at_note_find(const AtNote *note, const AtPublicKey *key, int *next, uint8_t *bytes,
							size_t len);

/* Write a signature line of such bytes; len is at most 72. */
extern void at_note_write_signature(AtWriter *writer, const AtPublicKey *key, const uint8_t *bytes,
									size_t len);

#endif
