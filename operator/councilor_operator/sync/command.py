"""`councilor-operator import`: reads the documents once and prints Councilors, for people who keep them in files from
then on."""

from collections.abc import Mapping
from typing import TextIO

from councilor_operator.errors import ConfigurationError
from councilor_operator.schedule import quote
from councilor_operator.sync.config import SyncConfig
from councilor_operator.sync.export import left_out, render
from councilor_operator.sync.source import Source, SourceError
from councilor_operator.sync.translation import TranslationRules, one_for_each_name, translate

EXIT_INCOMPLETE = 1


async def run(environment: Mapping[str, str], output: TextIO, errors: TextIO) -> int:
    """Print the Councilors as YAML; returns 1 where documents had to be left out, which are named on `errors`.

    Raises `ConfigurationError`, also where MongoDB cannot be read: nothing has been printed then.
    """
    config = SyncConfig.from_environment(environment)
    rules = TranslationRules(config.cron_dialect, config.time_zone)
    try:
        source = Source(config.mongodb_uri.get_secret_value(), config.database)
        try:
            documents = await source.read()
        finally:
            await source.close()
    except SourceError as error:
        raise ConfigurationError(error.message) from None
    candidates = one_for_each_name(translate(document, rules) for document in documents)
    output.write(render(candidates, config.namespace))
    missing = left_out(candidates)
    # An id may hold what steers terminals.
    errors.writelines(f"left out: {quote(item.document, 200)[1:-1]}: {item.problem}\n" for item in missing)
    if missing:
        errors.write(f"{len(missing)} of {len(candidates)} documents left out: correct them in Conductor\n")
    return EXIT_INCOMPLETE if missing else 0
