/* SPDX-License-Identifier: MIT */
#ifndef FSI_SERVER_SERVE_H
#define FSI_SERVER_SERVE_H

#include "session.h"

/**
 * fsi_serve - serve a session that the handshake has started, until its end
 *
 * Return: why it ended. Does not return if a request still hangs in the store: the process ends
 */
enum fsi_end fsi_serve(struct fsi_session *s);

#endif
