/*-------------------------------------------------------------------------
 * render.h
 *		A column's value as JSON text, the same in every session.
 *
 * Booleans, integers, finite floats and numerics become JSON literals with
 * their own digits; json and jsonb stand verbatim; dates and times are ISO
 * 8601, timestamps with time zone in UTC; bytea is hex; all else is the
 * text of the type's output function, under pinned settings, as a JSON
 * string.
 *
 * What is longer than audit_trail.max_value_size, or would make the string
 * that it is appended to longer than AT_RENDER_MAX, becomes
 * {"prefix":..., "bytes":n, "sha256":"..."} of its text.
 *
 * Output functions are run with the rights of the current user, found by
 * type, never by name. What they raise gets a line of context that names the
 * column.
 *-------------------------------------------------------------------------
 */
#ifndef AT_RENDER_H
#define AT_RENDER_H

#include "catalog/pg_attribute.h"
#include "fmgr.h"
#include "lib/stringinfo.h"

#include "capture/row_options.h"
#include "core/number.h"

/* The values of a row; two of them fit into an event. Short ones are appended nevertheless. */
#define AT_RENDER_MAX (128 * 1024 * 1024)

/* How a type is rendered; chosen once when the column is looked up. */
typedef struct AtRenderer AtRenderer;

typedef struct AtColumn
{
	AttrNumber attnum;      /* in the relation that rows are changed in */
	AttrNumber root_attnum; /* in the table that the policy names */
	int16 typlen;
	bool typbyval;
	bool ignored; /* a change of this column alone is no event */
	bool is_key;
	AtTreatment treatment;
	char *name;
	char *json_name; /* "name": with quotes, colon and escapes */
	int json_name_len;
	const AtRenderer *renderer;
	FmgrInfo output;
} AtColumn;

/*
 * Fill in what the attribute tells: attnum, typlen, typbyval, the names,
 * renderer and output. What they need is in the current memory context.
 */
extern void at_render_prepare(AtColumn *column, Form_pg_attribute attribute);

/* Append a value, never null, as JSON; returns whether it was shortened. */
extern bool at_render_json(AtColumn *column, Datum value, StringInfo out);

/* The number that a value, never null, is rendered as; false if it is none, or if AtNumber has too
 * few digits for it, or for values of this type it has to be read from the text. */
extern bool at_render_number(const AtColumn *column, Datum value, AtNumber *number);

/* Append a value, never null, as bare text: a JSON string without quotes and escapes. */
extern void at_render_text(AtColumn *column, Datum value, StringInfo out);

/*
 * Call back with the bare text of a value, never null, however long it is,
 * and whether it has to be quoted in JSON. The text lives during the call.
 */
typedef void (*AtRendered)(const char *data, int len, bool quote, void *arg);
extern void at_render_whole(AtColumn *column, Datum value, AtRendered callback, void *arg);

#endif
