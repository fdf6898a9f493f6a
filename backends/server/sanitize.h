/* SPDX-License-Identifier: MIT */
#ifndef FSI_SERVER_SANITIZE_H
#define FSI_SERVER_SANITIZE_H

/* Sanitizers want larger stacks, and a process that they may look into. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FSI_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FSI_SANITIZED 1
#endif
#endif
#ifndef FSI_SANITIZED
#define FSI_SANITIZED 0
#endif

#endif
