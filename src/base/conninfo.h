/*-------------------------------------------------------------------------
 * conninfo.h
 *		A connection string as people may see it, and as libpq takes it.
 *-------------------------------------------------------------------------
 */
#ifndef AT_CONNINFO_H
#define AT_CONNINFO_H

/*
 * audit_trail.primary_conninfo with "***" for each secret in it, in the form of keywords and
 * values: what is shown also gets into the trail. "***" alone if it is no connection string, since
 * nobody knows where its secrets are. In static memory: valid until the next call. Raises nothing.
 */
extern const char *at_conninfo_show_primary(void);

/* Keywords and values, each list ended by NULL, in the current memory context. */
typedef struct AtConninfo
{
	const char **keywords;
	const char **values;
} AtConninfo;

/* What a string says by which; the latter are added to it. */
typedef struct AtConninfoOption
{
	const char *keyword;
	const char *value;
	bool is_default; /* counts only where the string says nothing */
} AtConninfoOption;

/*
 * Read a string, with other options. False if it is none; why is not told, as that could tell a
 * part of a secret.
 */
extern bool at_conninfo_read(const char *conninfo, const AtConninfoOption *options, int noptions,
							 AtConninfo *read);

#endif
