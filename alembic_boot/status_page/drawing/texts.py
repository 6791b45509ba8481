"""The words of the status page in English and Korean, and how durations and times are written."""

from collections.abc import Mapping
from datetime import datetime

LANGUAGES = {"en": "English", "ko": "한국어"}

TEXTS: Mapping[str, tuple[str, str]] = {
    # the frame
    "title": ("{service}: {condition}", "{service}: {condition}"),
    "skip": ("Skip to the content", "본문으로 건너뛰기"),
    "language": ("Language", "언어"),
    "as_json": ("JSON", "JSON"),
    "release": ("Release {release}", "릴리스 {release}"),
    "as_of": ("As of {at}", "{at} 기준"),
    "lost": (
        "The connection is lost. This page retries.",
        "연결이 끊어졌습니다. 다시 연결하고 있습니다.",
    ),
    "back": ("Back to the status", "상태 페이지로 돌아가기"),
    # the banner
    "booting": ("Starting", "시작하는 중입니다"),
    "ready": ("Ready", "준비되었습니다"),
    "degraded": ("Degraded", "일부 기능에 문제가 있습니다"),
    "unavailable": ("Not available", "사용할 수 없습니다"),
    "booting_sentence": (
        "The start is at work. Requests are answered when the start is done.",
        "시작 작업을 하고 있습니다. 시작이 끝나면 요청에 응답합니다.",
    ),
    "ready_sentence": (
        "The schema is at its target, and requests work.",
        "스키마가 목표 리비전에 있으며 요청이 정상적으로 처리됩니다.",
    ),
    "degraded_sentence": ("Some requests fail.", "일부 요청이 실패합니다."),
    "unavailable_sentence": ("Requests are not answered.", "요청에 응답할 수 없습니다."),
    "schema": ("Schema", "스키마"),
    "state_empty": ("empty", "비어 있음"),
    "state_unmanaged": (
        "unmanaged: no revision is recorded",
        "관리되지 않음: 기록된 리비전 없음",
    ),
    "state_behind": ("behind its target", "목표보다 뒤처짐"),
    "state_current": ("current", "최신"),
    "state_past": ("past its target", "목표를 지나침"),
    "state_ahead": ("ahead of this release", "이 릴리스보다 앞섬"),
    "state_diverged": ("diverged from this release", "이 릴리스와 갈라짐"),
    "state_unknown": ("not known", "알 수 없음"),
    "route": ("Current revision → target", "현재 리비전 → 목표 리비전"),
    "nothing": ("none", "없음"),
    "elapsed": ("Running for", "경과 시간"),
    "command": ("This command helps", "다음 명령을 실행하십시오"),
    "problems": ("What could not be read", "읽을 수 없었던 항목"),
    # stages
    "stages": ("Stages", "단계"),
    "stage_wait": ("Wait for PostgreSQL", "PostgreSQL 대기"),
    "stage_migrate": ("Migrate", "마이그레이션"),
    "stage_seed": ("Seed", "초기 데이터"),
    "stage_serve": ("Serve", "서비스"),
    "waiting": ("waiting", "대기 중"),
    "running": ("running", "실행 중"),
    "done": ("done", "완료"),
    "failed": ("failed", "실패"),
    # the running revision
    "running_now": ("Running now", "지금 실행 중"),
    "n_of_m": ("Revision {number} of {of}", "리비전 {of}개 중 {number}번째"),
    "statement": ("Statement", "SQL 문"),
    "blocked_by": ("Blocked by", "차단한 세션"),
    "blocked_for": ("for {duration}", "{duration} 동안"),
    "not_blocked": ("no session", "없음"),
    "tries": ("Tries so far", "지금까지 시도 횟수"),
    "budget_left": ("Budget left", "남은 허용 시간"),
    "index_build": ("Index build", "인덱스 생성"),
    # the journal
    "history": ("History", "이력"),
    "history_caption": ("Runs of revisions, newest first", "리비전 실행 기록(최신순)"),
    "no_history": ("No run is recorded.", "기록된 실행이 없습니다."),
    "revision": ("Revision", "리비전"),
    "phase": ("Phase", "구분"),
    "expand": ("expand", "확장(expand)"),
    "contract": ("contract", "축소(contract)"),
    "direction": ("Direction", "방향"),
    "upgrade": ("upgrade", "업그레이드"),
    "downgrade": ("downgrade", "다운그레이드"),
    "stamp": ("stamp", "스탬프"),
    "started": ("Started", "시작 시각"),
    "duration": ("Duration", "소요 시간"),
    "host": ("Host", "호스트"),
    "release_column": ("Release", "릴리스"),
    "result": ("Result", "결과"),
    "applied": ("applied", "적용됨"),
    "died": ("died", "중단됨"),
    "failures": ("Why it failed {count} times in a row", "{count}번 연속 실패한 원인"),
    "failure": ("Why it failed", "실패 원인"),
    "no_error": ("No error text is recorded.", "기록된 오류 내용이 없습니다."),
    "pages": ("Pages of the history", "이력 페이지"),
    "page": ("Page {number}", "{number}페이지"),
    "newer": ("Newer", "더 최근"),
    "older": ("Older", "더 이전"),
    # revisions
    "revisions": ("Revisions", "리비전"),
    "graph_title": ("Graph of revisions", "리비전 그래프"),
    "graph_desc": (
        "{count} revisions, newest on top: {counts}. Each one is a link to its source and its SQL.",
        "리비전 {count}개(최신순): {counts}. 항목마다 소스와 SQL을 볼 수 있는 링크가 있습니다.",
    ),
    "count_of": ("{count} {status}", "{status} {count}개"),
    "folded": ("… {counts}", "… {counts}"),
    "pending": ("pending", "대기 중"),
    "edited": ("edited", "수정됨"),
    "unknown": ("unknown", "알 수 없음"),
    "beyond": ("beyond", "목표 이후"),
    "head": ("head", "head"),
    "as_table": ("The same as a table", "표로 보기"),
    "revisions_caption": ("The revisions of the graph", "그래프의 리비전"),
    "title_column": ("Title", "제목"),
    "status": ("Status", "상태"),
    "below": ("Based on", "이전 리비전"),
    "no_revisions": ("There are no revisions.", "리비전이 없습니다."),
    # tables
    "tables": ("Tables", "테이블"),
    "er_title": (
        "Tables of the database and their references",
        "데이터베이스의 테이블과 참조 관계",
    ),
    "er_desc": (
        "{count} tables, {references} references, {differing} tables differ from the models.",
        "테이블 {count}개, 참조 {references}개. 모델과 다른 테이블은 {differing}개입니다.",
    ),
    "no_tables": ("There are no tables.", "테이블이 없습니다."),
    "differences": ("Differences to the models", "모델과의 차이"),
    "differs": ("differs", "모델과 다름"),
    "more_tables": (
        "… {count} more tables are not drawn.",
        "… 그리지 않은 테이블이 {count}개 더 있습니다.",
    ),
    "more_columns": ("… {count} more", "… {count}개 더"),
    "tables_caption": ("The tables of the picture", "그림의 테이블"),
    "table": ("Table", "테이블"),
    "columns": ("Columns", "열"),
    "references": ("References", "참조"),
    "er_legend": (
        "PK primary key · FK foreign key · ? may be NULL",
        "PK 기본 키 · FK 외래 키 · ? NULL 허용",
    ),
    # sessions
    "sessions": ("Connected now", "현재 연결"),
    "sessions_caption": ("Processes that are connected", "연결된 프로세스"),
    "no_sessions": ("No process is connected.", "연결된 프로세스가 없습니다."),
    "process": ("Process", "프로세스"),
    "role": ("Role", "역할"),
    "starter": ("starter", "시작 프로세스"),
    "replica": ("replica", "레플리카"),
    "other": ("other", "기타"),
    "since": ("Since", "연결 시각"),
    "connections": ("Connections", "연결 수"),
    "not_read": ("This could not be read.", "읽을 수 없었습니다."),
    # the page of a revision
    "file": ("File", "파일"),
    "source": ("Source", "소스"),
    "sql": ("SQL of its upgrade", "업그레이드 SQL"),
    "no_source": (
        "This release has no file of this revision.",
        "이 릴리스에는 이 리비전의 파일이 없습니다.",
    ),
    "no_sql": (
        "The SQL cannot be rendered without a database.",
        "데이터베이스 없이는 SQL을 만들 수 없습니다.",
    ),
    "runs": ("Its runs", "실행 기록"),
    "labels": ("Labels", "레이블"),
    # durations
    "seconds": ("{n} s", "{n}초"),
    "minutes": ("{n} min", "{n}분"),
    "hours": ("{n} h", "{n}시간"),
    "days": ("{n} d", "{n}일"),
}


class Words:
    """The texts of one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._column = list(LANGUAGES).index(language)

    def __call__(self, key: str, **values: object) -> str:
        """Return a text with its values."""
        return TEXTS[key][self._column].format(**values)

    def known(self, key: str) -> str:
        """Return the text of a word from outside; without one, the word itself."""
        return self(key) if "{" not in TEXTS.get(key, ("{",))[0] else key

    def duration(self, seconds: float) -> str:
        """Return a duration in its two largest units."""
        if seconds < 59.5:
            digits = 2 if seconds < 1 else 1 if seconds < 10 else 0
            return self("seconds", n=f"{max(seconds, 0):.{digits}f}")
        whole = round(seconds)
        units = [
            (whole // 86_400, "days"),
            (whole // 3600 % 24, "hours"),
            (whole // 60 % 60, "minutes"),
            (whole % 60, "seconds"),
        ]
        first = next(i for i, (n, _) in enumerate(units) if n)
        return " ".join(self(key, n=n) for n, key in units[first : first + 2] if n)


def written(at: datetime) -> str:
    """Return a point in time with its zone, the same in each language."""
    return f"{at:%Y-%m-%d %H:%M:%S} {at.tzname() or 'UTC'}"


def width_of(text: str) -> float:
    """Return about how many Latin letters wide a text is; a Korean one counts twice."""
    return sum(1.0 if ord(it) < 0x1100 else 1.9 for it in text)


def shortened(text: str, width: float) -> str:
    """Return a text that is at most this wide, with an ellipsis if it was wider."""
    if width_of(text) <= width:
        return text
    text = text[: int(width)]
    while text and width_of(text) > width - 1:
        text = text[:-1]
    return text.rstrip() + "…"
