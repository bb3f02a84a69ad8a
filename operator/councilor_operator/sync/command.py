"""`councilor-operator import`: reads the documents once and prints Councilors, for people who keep them in files from
then on."""

from collections.abc import Mapping
from typing import TextIO

from councilor_operator.errors import ConfigurationError
from councilor_operator.sync.config import SyncConfig
from councilor_operator.sync.export import render
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
    left_out = [candidate for candidate in candidates if candidate.problem is not None]
    errors.writelines(f"left out: {candidate.document}: {candidate.problem}\n" for candidate in left_out)
    if left_out:
        errors.write(f"{len(left_out)} of {len(candidates)} documents left out: correct them in Conductor\n")
    return EXIT_INCOMPLETE if left_out else 0
