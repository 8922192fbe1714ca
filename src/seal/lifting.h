/*-------------------------------------------------------------------------
 * lifting.h
 *		A control record in the log whenever the guard is lifted or set again.
 *-------------------------------------------------------------------------
 */
#ifndef AT_LIFTING_H
#define AT_LIFTING_H

#include "ledger/log.h"

/*
 * Append a "guard" entry if the guard is not as the last of them says (on, if
 * there is none), and two if it is on, and was lifted meanwhile; with an alarm for each. The caller
 * seals, and calls at_lifting_sealed() once that has been committed.
 */
extern void at_lifting_seal(AtLogHead *head, int32 incarnation);
extern void at_lifting_sealed(void);

#endif
