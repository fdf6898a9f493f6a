/* SPDX-License-Identifier: MIT */
#ifndef FSI_HOST_INTERNAL_H
#define FSI_HOST_INTERNAL_H

#include <stddef.h>
#include <fsif/host.h>

/* The longest name of a transport or a store. */
#define FSI_WORD_MAX 31u

#define FSI_ERROR_TEXT 512u

enum fsi_plugin_kind {
    FSI_PLUGIN_TRANSPORT,
    FSI_PLUGIN_STORE,
};

/** fsi_word_valid - Return: 1 for 1 to 31 bytes of a-z, 0-9 and '-' */
int fsi_word_valid(const char *word, size_t len);

/**
 * fsi_error_set - write the pieces of a sentence one after the other into @text
 *
 * @text: FSI_ERROR_TEXT bytes; what does not fit is cut
 * then strings, ended by NULL
 */
void fsi_error_set(char *text, const char *piece, ...) __attribute__((sentinel));

/**
 * fsi_plugin_check_transport, fsi_plugin_check_store - whether a vtable can be used
 *
 * The checks are made in every build: a plugin is another party's code.
 *
 * Return: 0; -FSIF_EINVAL and a sentence in @error
 */
int fsi_plugin_check_transport(const struct fsif_transport *t, char *error);
int fsi_plugin_check_store(const struct fsif_store_ops *s, char *error);

/**
 * fsi_plugin_load - open a plugin's file and take its vtable
 *
 * @name:   valid word
 * @handle: receives what dlclose() wants
 *
 * Return: 0; -FSIF_ENOENT no such file; -FSIF_EINVAL refused; both with a sentence in @error
 */
int fsi_plugin_load(enum fsi_plugin_kind kind, const char *dir, const char *name, void **handle,
                    const void **vtable, char *error);

#endif
