/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef NLPROOF_TAKEOVER_H
#define NLPROOF_TAKEOVER_H

/* Takes the interface messages and events over. 0, or an error with the reason on the console and nothing
 * changed. */
int	nlproof_take_over(void);
/* Gives them back and waits for what is still running. EBUSY, with the reason on the console and the
 * take-over still in force, if that cannot be done. */
int	nlproof_hand_back(void);

#endif
