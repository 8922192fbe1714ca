/*-------------------------------------------------------------------------
 * reveal.h
 *		Personal values as who may see them sees them.
 *
 * Where a value cannot be shown a string in brackets says why: [erased], the key of the
 * person was destroyed; [key missing]; [unreadable], it is not what was recorded;
 * [too long], it was not kept. Who may not see personal values sees "***".
 *-------------------------------------------------------------------------
 */
#ifndef AT_REVEAL_H
#define AT_REVEAL_H

#include "postgres.h"

/*
 * The JSON text with the personal values in it opened, or masked; the text itself where it has
 * none. Raises an error if the directory of keys cannot be used.
 */
extern text *at_reveal(text *json, bool sees_personal);

#endif
