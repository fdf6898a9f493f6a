/* SPDX-License-Identifier: MIT */
#ifndef FSIF_FSIF_H
#define FSIF_FSIF_H

/* Everything that the freestanding core offers. */

#include <fsif/error.h>
#include <fsif/op.h>
#include <fsif/wire.h>
#include <fsif/path.h>
#include <fsif/dict.h>
#include <fsif/negotiate.h>
#include <fsif/hooks.h>
#include <fsif/transport.h>
#include <fsif/store.h>
#include <fsif/frontend.h>
#include <fsif/backend.h>

#define FSIF_VERSION_MAJOR 0
#define FSIF_VERSION_MINOR 1
#define FSIF_VERSION_PATCH 0

#endif
