/*-------------------------------------------------------------------------
 * evolve.h
 *		Keeps up with commands that change, move or drop audited tables.
 *-------------------------------------------------------------------------
 */
#ifndef AT_EVOLVE_H
#define AT_EVOLVE_H

/* Install the hooks for utility commands and object accesses. */
extern void at_evolve_init(void);

#endif
