/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef NLPROOF_THREADS_H
#define NLPROOF_THREADS_H

/*
 * Waits until each thread that there was at the call has been seen where it cannot be in the middle of a few
 * instructions that do not sleep: asleep, waiting for an interrupt, stopped, in user mode, or gone. What was written
 * before the call it sees afterwards. May sleep. 0; EWOULDBLOCK if one was not, by the deadline (in ticks).
 */
int	nlproof_all_elsewhere(int deadline);

#endif
