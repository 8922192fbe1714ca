/*-------------------------------------------------------------------------
 * jsonb_make.h
 *		A json text as jsonb, whatever it holds.
 *-------------------------------------------------------------------------
 */
#ifndef AT_JSONB_MAKE_H
#define AT_JSONB_MAKE_H

#include "utils/jsonb.h"

/*
 * Convert, raising nothing because of what the text holds: a readable string
 * takes the place of what jsonb cannot hold. If `exact` is not NULL, it tells
 * whether the value is all there: that no string stands for a number, a
 * container or a longer string.
 */
extern Jsonb *at_jsonb_make(const char *json, int len, bool *exact);

#endif
