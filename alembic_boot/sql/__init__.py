"""Read SQL as PostgreSQL's own parser reads it.

These are the questions that we ask of a text, before it runs. The last column is the answer for a
text that the parser cannot read: the most dangerous one. Three answers follow the first words of
its statements, because a text is often not read for its length: megabytes of rows.

| question                 | module       | its subject                             | unreadable  |
|--------------------------|--------------|-----------------------------------------|-------------|
| `works_on_rows`          | `statement`  | no table lock that others queue behind  | no          |
| `fails_without_its_lock` | `statement`  | no code in it catches a failed lock     | no          |
| `is_concurrent`          | `statement`  | unfinished work stays behind            | yes         |
| `is_atomic`              | `statement`  | PostgreSQL undoes it all after an error | no          |
| `is_single`              | `statement`  | one statement                           | no          |
| `is_setting`             | `statement`  | settings of the session, and no more    | no          |
| `begins_with_control`    | `statement`  | the transaction or the session          | first word  |
| `begins_with_rollback`   | `statement`  | the end of a failed transaction         | first word  |
| `commits`                | `statement`  | the end of the transaction around it    | first words |
| `is_repeatable`          | `repetition` | no harm if it runs a second time        | no          |
| `Reaches`                | `reach`      | what it reaches beyond its database     | unknown     |
| `Schemas`                | `schemas`    | the schemas in which it makes something | each name   |

`parser` gives the tree, `bodies` the SQL in functions and blocks, `pieces` the words of a text
that the parser does not take, and short names for people. `writing` writes SQL for PostgreSQL.
"""
