"""The same users list as a careful FastAPI + SQLAlchemy program would serve it, on the same database.

It checks the same token against the same session, counts and lists the same rows, and validates its answer with a
response model. It runs on uvicorn with uvloop and httptools. Environment: DATABASE_URL, JWT_SIGNING_KEY_FILE.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated

import jwt
from cryptography.hazmat.primitives import serialization
from fastapi import Depends, FastAPI, Header, HTTPException, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy import ForeignKey, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

KEY = serialization.load_pem_private_key(Path(os.environ["JWT_SIGNING_KEY_FILE"]).read_bytes(), None).public_key()
ENGINE = create_engine(os.environ["DATABASE_URL"], pool_size=32)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    full_name: Mapped[str]
    role: Mapped[str]
    is_active: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Login(Base):
    __tablename__ = "sessions"
    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    revoked_at: Mapped[datetime | None]


class UserOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    email: str
    full_name: str
    role: str
    is_active: bool
    created_at: datetime
    updated_at: datetime


class Pagination(BaseModel):
    page: int
    per_page: int
    total: int
    pages: int


class UserList(BaseModel):
    users: list[UserOut]
    pagination: Pagination


app = FastAPI()


def database():
    with Session(ENGINE) as session:
        yield session


def admin(database: Annotated[Session, Depends(database)], authorization: Annotated[str, Header()]) -> User:
    try:
        options = {"require": ["exp", "iat", "sub", "sid", "jti"]}
        token = authorization.removeprefix("Bearer ")
        claims = jwt.decode(token, KEY, ["EdDSA"], issuer="triptych", audience="triptych-api", options=options)
    except jwt.PyJWTError:
        raise HTTPException(401) from None
    query = select(User).join(Login, Login.user_id == User.id)
    query = query.where(Login.id == claims["sid"], User.id == int(claims["sub"]))
    user = database.scalar(query.where(Login.revoked_at.is_(None), User.is_active == 1))
    if user is None:
        raise HTTPException(401)
    if user.role != "admin":
        raise HTTPException(403)
    return user


@app.get("/api/v1/users", response_model=UserList)
def list_users(
    database: Annotated[Session, Depends(database)],
    _user: Annotated[User, Depends(admin)],
    page: Annotated[int, Query(ge=1)] = 1,
    per_page: Annotated[int, Query(ge=1, le=100)] = 20,
):
    total = database.scalar(select(func.count()).select_from(User))
    query = select(User).order_by(User.email, User.id).limit(per_page).offset((page - 1) * per_page)
    pagination = Pagination(page=page, per_page=per_page, total=total, pages=-(-total // per_page))
    return {"users": database.scalars(query).all(), "pagination": pagination}
