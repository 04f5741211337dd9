/* A small catalogue that the tests know by heart, made by the importer itself. */
#ifndef TESTS_CATALOG_FIXTURE_H
#define TESTS_CATALOG_FIXTURE_H

#include "catalog/catalog.h"
#include "catalog/import.h"
#include "support/testing.h"

/* Writes films.tsv and songs.tsv into dir and imports them as dir/catalog.db. Twelve films, four
 * songs; see fixture.c. The path is that of testing_path(). */
const char *fixture_build(const char *dir);

/* Fails the test with the sentence when rc < 0. */
void fixture_check(int rc, const struct err *err);

/* Are these bytes somewhere in the file? */
bool fixture_file_holds(const char *path, const char *text);

/* A policy of the source tree, assets/policies/NAME.conf. */
struct policy;
struct policy *fixture_policy(const char *name);

#endif
