/*-------------------------------------------------------------------------
 * query.h
 *		One value of a query.
 *-------------------------------------------------------------------------
 */
#ifndef AT_QUERY_H
#define AT_QUERY_H

/* The first value of the first row as text, in the caller's context; NULL if there is none. */
extern char *at_query_value(const char *sql);

#endif
