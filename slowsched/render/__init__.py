"""Values to text: JSON documents, words for a terminal, Markdown, annotations; pure, no I/O and no clock.

    shapes          the JSON documents that scripts rely on        plan_shape, validate_shape, ...
    text_plan       a plan in words                                plan_text
    text_problems   problems, one line each                        problems_text
    text_reports    what an apply or a wake did                    apply_text, wake_text
    text_rows       a table of rows, and one row                   list_text, row_text
    markdown        a plan as a comment of a pull request          plan_markdown
    github          problems as annotations of a workflow          annotations

    harmless, words, plan_words, layout, values, text_change: what these are written with

Nothing is imported here: a command pays for the form it prints, and for no other.
"""
