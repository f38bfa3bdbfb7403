"""The task service as FastAPI and SQLAlchemy 2 document it: a row per task, no events."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID, uuid4

import jwt
from fastapi import Depends, FastAPI, HTTPException, status
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import URL, DateTime, Index, String, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

JWT_SECRET = os.environ["JWT_SECRET"]

engine = create_async_engine(
    URL.create(
        "postgresql+asyncpg",
        host=os.environ["DB_HOST"],
        port=int(os.environ["DB_PORT"]),
        username=os.environ["DB_USER"],
        password=os.environ["DB_PASSWORD"],
        database=os.environ["DB_NAME"],
    ),
    pool_size=int(os.environ["DB_POOL"]),
    max_overflow=0,
)
new_session = async_sessionmaker(engine, expire_on_commit=False)


class Priority(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    URGENT = "urgent"


class Status(StrEnum):
    OPEN = "open"
    COMPLETED = "completed"


class Base(DeclarativeBase):
    pass


class Task(Base):
    __tablename__ = "tasks"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    owner_id: Mapped[UUID]
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str]
    status: Mapped[Status] = mapped_column(String(10), default=Status.OPEN)
    priority: Mapped[Priority] = mapped_column(String(10))
    due: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=lambda: datetime.now(UTC))
    completed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


Index("tasks_newest", Task.owner_id, Task.created_at.desc())


class NewTask(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=10_000)
    priority: Priority = Priority.MEDIUM
    due: AwareDatetime | None = None


class TaskOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    title: str
    description: str
    status: Status
    priority: Priority
    due: datetime | None
    created_at: datetime = Field(serialization_alias="createdAt")
    completed_at: datetime | None = Field(serialization_alias="completedAt")


class TaskList(BaseModel):
    items: list[TaskOut]


async def get_session() -> AsyncIterator[AsyncSession]:
    async with new_session() as session:
        yield session


bearer = HTTPBearer()


async def get_principal(credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> UUID:
    try:
        claims = jwt.decode(
            credentials.credentials, JWT_SECRET, algorithms=["HS256"], options={"require": ["exp", "sub"]}
        )
        return UUID(claims["sub"])
    except (jwt.InvalidTokenError, ValueError) as error:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "invalid token") from error


Session = Annotated[AsyncSession, Depends(get_session)]
Principal = Annotated[UUID, Depends(get_principal)]


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.get("/health/ready")
async def ready() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/api/v1/tasks", status_code=status.HTTP_201_CREATED)
async def create_task(body: NewTask, session: Session, principal: Principal) -> TaskOut:
    task = Task(owner_id=principal, **body.model_dump())
    session.add(task)
    await session.commit()
    return task


@app.get("/api/v1/tasks")
async def list_tasks(
    session: Session, principal: Principal, limit: Annotated[int, Field(ge=1, le=200)] = 50
) -> TaskList:
    newest = select(Task).where(Task.owner_id == principal).order_by(Task.created_at.desc()).limit(limit)
    return {"items": list(await session.scalars(newest))}


@app.get("/api/v1/tasks/{task_id}")
async def read_task(task_id: UUID, session: Session, principal: Principal) -> TaskOut:
    task = await session.get(Task, task_id)
    if task is None or task.owner_id != principal:
        raise HTTPException(status.HTTP_404_NOT_FOUND)
    return task


@app.post("/api/v1/tasks/{task_id}/complete")
async def complete_task(task_id: UUID, session: Session, principal: Principal) -> TaskOut:
    task = await session.get(Task, task_id, with_for_update=True)
    if task is None or task.owner_id != principal:
        raise HTTPException(status.HTTP_404_NOT_FOUND)
    if task.status == Status.COMPLETED:
        raise HTTPException(status.HTTP_409_CONFLICT, "already completed")
    task.status = Status.COMPLETED
    task.completed_at = datetime.now(UTC)
    await session.commit()
    return task
