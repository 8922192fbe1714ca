/*-------------------------------------------------------------------------
 * note_text.h
 *		Signed notes as values of SQL.
 *
 * A note is bytes of UTF-8: its signature lines begin with a dash (U+2014).
 * As a text it has the encoding of the database, in which there may be no
 * such dash, or one that comes back as another character.
 *-------------------------------------------------------------------------
 */
#ifndef AT_NOTE_TEXT_H
#define AT_NOTE_TEXT_H

#include "core/text.h"

/*
 * As a text from which a client that asks for UTF-8 gets these very bytes.
 * ERRCODE_UNTRANSLATABLE_CHARACTER, with the hint to use a function that
 * returns bytes, where the encoding has none.
 */
extern text *at_note_to_text(AtText note, const char *bytes_function);

extern bytea *at_note_to_bytes(AtText note);

/* The bytes of an argument, in the current context. */
extern AtText at_note_from_text(const text *note);
extern AtText at_note_from_bytes(const bytea *note);

#endif
