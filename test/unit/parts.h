/* SPDX-License-Identifier: MIT */
#ifndef TEST_PARTS_H
#define TEST_PARTS_H

/* Cases that lie in another file than the main() of their program. */

#include <check.h>

/* unit.backend */
TCase *backend_handle_cases(void);
TCase *backend_resume_cases(void);

/* unit.dialect2 */
TCase *several_pages_backend_cases(void);
TCase *several_pages_frontend_cases(void);

/* unit.frontend_end */
TCase *frontend_hostile_cases(void);
TCase *frontend_resume_cases(void);

/* unit.dialect3 */
void dialect3_add_locks(TCase *t);
void dialect3_add_queues(TCase *t);
void dialect3_add_missing(TCase *t);

/* unit.client */
void client_add_ends(TCase *t);
void client3_add_closing(TCase *t);
void client3_add_notes(TCase *t);

/* unit.shm */
void shm_add_hostile(TCase *c);

#endif
