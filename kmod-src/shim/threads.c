/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the threads of the kernel are.
 *
 * Not quiesce_all_cpus(), which waits for processors to be idle, and so for ever on a busy one; nor is it a proof: a
 * thread that was interrupted can be taken over by a processor that was idle before.
 */
#include "kernel.h"

#include <sys/mutex.h>

#include "threads.h"

/* A thread that has yet to be seen elsewhere. */
struct awaited {
	lwpid_t	tid;
	u_int	user_ticks;
};

/* The processor's own threads, which run when nothing else does, and the one that asks, are not waited for. */
static bool
matters(const struct thread *td)
{
	return (td != curthread && !TD_IS_IDLETHREAD(td));
}

/* Lists threads as far as there is room; how many there are. */
static u_int
list(struct awaited *awaited, u_int room)
{
	struct proc *p;
	struct thread *td;
	u_int count = 0;

	sx_slock(&allproc_lock);
	FOREACH_PROC_IN_SYSTEM(p) {
		PROC_LOCK(p);
		FOREACH_THREAD_IN_PROC(p, td) {
			if (matters(td) && count++ < room) {
				awaited[count - 1].tid = td->td_tid;
				awaited[count - 1].user_ticks = td->td_uticks;
			}
		}
		PROC_UNLOCK(p);
	}
	sx_sunlock(&allproc_lock);
	return (count);
}

/*
 * A thread that the scheduler took its processor from is still able to run, and one that waits for a mutex may hold
 * it up anywhere. Everything else is a place that a thread goes to by itself. A statistics clock that found it in
 * user mode has found it in no handler either; its count is set back to 0 now and then. A thread is inactive before
 * it runs first and when it has ended.
 */
static bool
is_elsewhere(struct thread *td, struct awaited *awaited)
{
	bool elsewhere;

	thread_lock(td);
	elsewhere = TD_GET_STATE(td) == TDS_INACTIVE || (TD_IS_INHIBITED(td) && !TD_ON_LOCK(td)) ||
	    td->td_uticks > awaited->user_ticks;
	awaited->user_ticks = td->td_uticks;
	thread_unlock(td);
	return (elsewhere);
}

int
nlproof_all_elsewhere(int deadline)
{
	struct awaited *awaited = NULL;
	u_int count, room = 0;

	/* A thread that is made after our pointers were replaced has never read one. */
	while ((count = list(awaited, room)) > room) {
		free(awaited, M_TEMP);
		room = count + 16;
		awaited = malloc(room * sizeof(*awaited), M_TEMP, M_WAITOK);
	}
	for (;;) {
		u_int left = 0;

		for (u_int i = 0; i < count; i++) {
			struct thread *td = tdfind(awaited[i].tid, -1);
			bool elsewhere = td == NULL || is_elsewhere(td, &awaited[i]);

			if (td != NULL)
				PROC_UNLOCK(td->td_proc);
			if (!elsewhere)
				awaited[left++] = awaited[i];
		}
		count = left;
		if (count == 0 || deadline - ticks <= 0)
			break;
		pause("nlproof", 1);
	}
	free(awaited, M_TEMP);
	return (count == 0 ? 0 : EWOULDBLOCK);
}
