"""The text an agent is asked with, built from the task of the contract. Pure.

The form, parts separated by one blank line, absent parts left out:

    <the task's prompt, unchanged>

    Context files, to be read before answering:
    - <path>
    - <path>

    Output format: <one of three instructions>

    <the request for a SEVERITY line, when verdict.askAgent is set>

Double-brace placeholders belong to Conductor and its users: they are passed on as they are, as is everything else in
the prompt apart from white space at its end.
"""

from councilor_runner.contract import PROMPT_LIMIT, Task

OUTPUT_FORMATS = {
    "summary": "Output format: a summary of at most ten sentences, the most important finding first.",
    "detailed": (
        "Output format: a detailed report in Markdown, with a heading for each area examined and the evidence "
        "(file, line, figure) for each finding."
    ),
    "checklist": (
        'Output format: a Markdown checklist, one line for each point examined: "- [x]" for what is in order, '
        '"- [ ]" for what needs attention, with a short reason.'
    ),
}

# The form with bars on purpose: an agent that merely repeats its instructions has not given a verdict.
SEVERITY_INSTRUCTION = """\
Finish with one last line of this form, holding exactly one of the three words and nothing else:
SEVERITY: success|warning|error
Use success when nothing needs to be done, warning when something should be looked at without urgency, and error when \
something is broken, at risk, or could not be examined."""


def prompt_complaint(text: str) -> str | None:
    """Return why a prompt cannot be sent and what to do, None when it can; for those that come from a ConfigMap."""
    if len(text) > PROMPT_LIMIT:
        return (
            f"the prompt has {len(text)} characters, and {PROMPT_LIMIT} is the limit: shorten it in the ConfigMap of "
            "spec.task.promptFrom, or move parts into files and name these in spec.task.contextFiles"
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        return "the prompt is no UTF-8 text: write it as such into the ConfigMap of spec.task.promptFrom"
    return None


def build_prompt(task: Task, text: str, *, ask_severity: bool) -> str:
    """Return what is sent as `user_input`; `text` is the prompt itself, from the spec or from the ConfigMap."""
    parts = [text.rstrip()]
    if task.context_files:
        parts.append(
            "\n".join(["Context files, to be read before answering:", *(f"- {p}" for p in task.context_files)])
        )
    parts.append(OUTPUT_FORMATS[task.output_format])
    if ask_severity:
        parts.append(SEVERITY_INSTRUCTION)
    return "\n\n".join(parts)
